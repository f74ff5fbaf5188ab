package import Datasets
package import Networks
package import TeacherCache
package import Tensors

/// A teacher that is evaluated on every batch: the baseline that cached training is compared with.
package final class LiveTeacher: TeacherSource {
  package let network: Classifier
  private let normalization: Normalization
  private let execution: Execution
  package let taps: [TapShape]

  package init(
    _ network: Classifier, normalization: Normalization, height: Int, width: Int,
    on execution: Execution
  ) {
    self.network = network
    self.normalization = normalization
    self.execution = execution
    taps = network.tapSizes(height: height, width: width)
  }

  package var classes: Int { network.classes }
  package var secondsWaited: Double? { nil }

  package func logits(_ batch: ViewBatch) throws -> TeacherLogits {
    let (logits, _) = network.infer(batch.images(normalization, on: execution), on: execution)
    try NonFiniteTeacher.check(logits, of: batch.keys)
    return TeacherLogits(
      Matrix(rows: batch.keys.count, columns: classes, floats: logits.values))
  }

  package func features(_ batch: ViewBatch, taps: Set<String>) throws -> [String: Tensor] {
    guard let last = network.taps.lastIndex(where: taps.contains),
      taps.isSubset(of: network.taps)
    else { preconditionFailure("the teacher lacks some of the taps \(taps.sorted())") }
    let features = network.forward(
      batch.images(normalization, on: execution), training: 0..<0, through: last,
      keeping: taps, on: execution
    ).features
    for tap in taps.sorted() {
      guard let values = features[tap] else { preconditionFailure("no tap \(tap)") }
      try NonFiniteTeacher.check(values, of: batch.keys, tap: tap)
    }
    return features
  }
}

extension Classifier {
  /// The sizes of all taps for images of this size.
  package func tapSizes(height: Int, width: Int) -> [TapShape] {
    tapShapes(height: height, width: width).map {
      TapShape(tap: $0.tap, height: $0.height, width: $0.width, channels: $0.channels)
    }
  }
}
