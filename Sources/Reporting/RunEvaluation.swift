package import Foundation

/// What was found out about a run when it ended: evaluation.json. With it a report needs neither
/// images nor cache.
package struct RunEvaluation: Codable, Sendable {
  package static let name = "evaluation.json"

  /// The student on the test set.
  package struct Test: Codable, Sendable {
    /// nil where the data set's folder has no names.
    package var classNames: [String]?
    /// By class: images of the training set, held-out ones among them, test images, and right
    /// answers.
    package var trainingImages: [Int]
    package var images: [Int]
    package var correct: [Int]
    /// The most frequent wrong answers, the most frequent first.
    package var confusions: [Confusion]
    package var calibration: Calibration

    package init(
      classNames: [String]?, trainingImages: [Int], images: [Int], correct: [Int],
      confusions: [Confusion], calibration: Calibration
    ) {
      self.classNames = classNames
      self.trainingImages = trainingImages
      self.images = images
      self.correct = correct
      self.confusions = confusions
      self.calibration = calibration
    }
  }

  /// How many test images of a class were taken for another.
  package struct Confusion: Codable, Equatable, Sendable {
    package let label: Int
    package let predicted: Int
    package let count: Int

    package init(label: Int, predicted: Int, count: Int) {
      self.label = label
      self.predicted = predicted
      self.count = count
    }
  }

  /// Teacher and student on the same views of training images.
  package struct Comparison: Codable, Sendable {
    package var views: String  // such as weak:0
    package var images: Int
    /// Percent of the views on which both name the same class.
    package var agreement: Double
    /// Percent right.
    package var teacherTop1: Double
    package var studentTop1: Double
    /// Mean KL(teacher ‖ student) at temperature 1, in nats.
    package var divergence: Double
    package var teacher: Calibration
    package var student: Calibration

    package init(
      views: String, images: Int, agreement: Double, teacherTop1: Double, studentTop1: Double,
      divergence: Double, teacher: Calibration, student: Calibration
    ) {
      self.views = views
      self.images = images
      self.agreement = agreement
      self.teacherTop1 = teacherTop1
      self.studentTop1 = studentTop1
      self.divergence = divergence
      self.teacher = teacher
      self.student = student
    }
  }

  /// One view as the teacher saw it, and its most probable classes.
  package struct Seen: Codable, Sendable {
    package var image: Int
    package var view: String
    package var label: Int
    package var png: Data
    package var classes: [Int]
    package var probabilities: [Double]

    package init(
      image: Int, view: String, label: Int, png: Data, classes: [Int], probabilities: [Double]
    ) {
      self.image = image
      self.view = view
      self.label = label
      self.png = png
      self.classes = classes
      self.probabilities = probabilities
    }
  }

  package var version = 1
  package var test: Test?
  package var comparison: Comparison?
  package var seen: [Seen] = []
  package var cache: CacheFacts?
  package var cost: TeacherCost?

  package init() {}

  /// The file's bytes.
  package func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try Array(encoder.encode(self)) + [UInt8(ascii: "\n")]
  }

  /// Reads the file's bytes; nil for what this program did not write.
  package init?(json: Data) {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let found = try? decoder.decode(Self.self, from: json), found.isSound else { return nil }
    self = found
  }

  /// Whether the lists belong together and the counts can be counted on, so that a page about them
  /// cannot go wrong.
  private var isSound: Bool {
    guard version == 1 else { return false }
    if let test {
      let classes = test.images.count
      guard
        test.correct.count == classes, test.trainingImages.count == classes, classes > 0,
        test.classNames.map({ $0.count == classes }) ?? true, test.calibration.isSound,
        areCounts(test.trainingImages), areCounts(test.images),
        zip(test.images, test.correct).allSatisfy({ 0...$0 ~= $1 }),
        areCounts(test.confusions.map(\.count)),
        test.confusions.allSatisfy({
          (0..<classes).contains($0.label) && (0..<classes).contains($0.predicted)
        })
      else { return false }
    }
    if let comparison, !(comparison.teacher.isSound && comparison.student.isSound) { return false }
    if let cost, !areCounts([cost.views, cost.storedViews ?? 0]) { return false }
    return seen.allSatisfy { $0.classes.count == $0.probabilities.count }
  }
}
