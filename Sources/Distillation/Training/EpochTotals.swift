/// What the steps of an epoch add up to so far; part of a checkpoint, so that an epoch that is
/// interrupted and resumed reports the same means.
package struct EpochTotals: Codable, Equatable, Sendable {
  /// Image-weighted sums of each loss term, as trained.
  package private(set) var terms: [String: Double] = [:]
  package private(set) var images = 0
  /// Images of the steps that had logits, and how many of them were right.
  package private(set) var classified = 0
  package private(set) var correct = 0

  package init() {}

  mutating func add(_ terms: [(name: String, value: Double)], images: Int) {
    for (name, value) in terms { self.terms[name, default: 0] += value * Double(images) }
    self.images += images
  }

  mutating func add(correct: Int, of images: Int) {
    classified += images
    self.correct += correct
  }

  /// Whether an epoch can have come to these; a file may say anything.
  var isPossible: Bool { [images, classified, correct].allSatisfy { (0..<1 << 40).contains($0) } }

  /// The mean over the epoch's images of one term; nil if no step had it.
  package func mean(_ term: String) -> Double? {
    terms[term].map { $0 / Double(max(images, 1)) }
  }

  /// The mean over the epoch's images of the whole loss.
  package var loss: Double {
    terms.keys.sorted().reduce(0) { $0 + (terms[$1] ?? 0) } / Double(max(images, 1))
  }

  /// Percent; nil if no step had logits.
  package var top1: Double? {
    classified == 0 ? nil : 100 * Double(correct) / Double(classified)
  }
}
