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
    let output = network.forward(
      batch.images(normalization, on: execution), training: 0..<0, on: execution)
    guard let logits = output.logits else { preconditionFailure("a whole pass gives logits") }
    return TeacherLogits(
      Matrix(rows: batch.keys.count, columns: classes, floats: logits.values))
  }

  package func features(_ batch: ViewBatch, tap: String) throws -> Tensor {
    guard let stage = network.taps.firstIndex(of: tap) else {
      preconditionFailure("the teacher has no tap \(tap)")
    }
    let output = network.forward(
      batch.images(normalization, on: execution), training: 0..<0, through: stage,
      keeping: [tap], on: execution)
    guard let features = output.features[tap] else {
      preconditionFailure("tap \(tap) was not kept")
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
