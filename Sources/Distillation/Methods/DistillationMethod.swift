/// A view that a method trains on, before a round is chosen.
package enum TrainingView: String, Sendable, CaseIterable {
  case weak, strong
}

/// What a teacher said about a batch of views.
package struct TeacherLogits: Sendable {
  /// batch × classes.
  package let logits: Matrix
  /// The teacher's largest probability at temperature 1, one an image. Beside quantised logits it
  /// is stored, because a threshold on a rounded one would flip now and then.
  package let confidence: [Double]

  /// - Parameter confidence: that of the logits themselves where it is not given.
  package init(_ logits: Matrix, confidence: [Double]? = nil) {
    self.logits = logits
    self.confidence =
      confidence
      ?? {
        let p = softmax(logits)
        return (0..<p.rows).map { p.row($0).max() ?? 0 }
      }()
  }
}

/// What a step's loss is made of: named terms as trained (they add up to the loss) and the
/// gradient at the student's logits, one matrix for each of the method's views.
package struct DistillationLoss: Sendable {
  package let terms: [(name: String, value: Double)]
  package let gradients: [Matrix]

  package var total: Double { terms.reduce(0) { $0 + $1.value } }
}

/// A loss on logits, as a pure function of what student and teacher said.
///
/// A method owns no network and no data; finite differences and the golden values test it as it is.
package protocol DistillationMethod: Sendable {
  /// The views that the student runs, in this order; the first one gives the training accuracy.
  static var views: [TrainingView] { get }
  /// Whether the teacher's logits of those views are needed.
  static var needsTeacher: Bool { get }
  /// The names of the loss terms, in the order of ``DistillationLoss/terms``.
  var termNames: [String] { get }
  /// - Parameters:
  ///   - student: logits, batch × classes, one matrix a view.
  ///   - teacher: logits of the same views, or nothing if ``needsTeacher`` is false.
  ///   - labels: class of each image.
  ///   - epoch: from 0.
  func loss(
    student: [Matrix], teacher: [TeacherLogits], labels: [Int], epoch: Int
  ) -> DistillationLoss
}

extension DistillationMethod {
  package var views: [TrainingView] { Self.views }
  package var needsTeacher: Bool { Self.needsTeacher }
}
