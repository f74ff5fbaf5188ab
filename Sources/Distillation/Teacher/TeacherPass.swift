package import Datasets
package import Networks
package import TeacherCache
package import Tensors

/// A teacher output that is not a number.
package struct NonFiniteTeacher: Error, CustomStringConvertible, Sendable {
  package let key: ViewKey

  package var description: String {
    "the teacher's logits for image \(key.image), view \(key.view) are not finite: the weights or "
      + "the normalisation (--mean, --std) do not fit; nothing was stored for this image"
  }
}

/// One evaluation of a teacher over a batch of views, with everything that a cache stores.
package final class TeacherPass {
  private let network: Classifier
  private let normalization: Normalization
  private let renderer: ViewRenderer
  private let execution: Execution

  package init(
    _ network: Classifier, normalization: Normalization, renderer: ViewRenderer,
    on execution: Execution
  ) {
    self.network = network
    self.normalization = normalization
    self.renderer = renderer
    self.execution = execution
  }

  /// `count` views cut into batches of like size, none above `limit`.
  package static func batches(of count: Int, atMost limit: Int) -> [Range<Int>] {
    let batches = (count + limit - 1) / limit
    return (0..<batches).map { count * $0 / batches..<count * ($0 + 1) / batches }
  }

  package struct Output {
    package let hashes: [UInt64]
    /// batch × classes.
    package let logits: [Float]
    /// N×H×W×C of each kept tap.
    package let features: [String: Tensor]

    /// What is wanted of view `row` of the batch, ready to be stored.
    package func record(_ row: Int, _ wanted: ViewRequest) -> ViewRecord {
      let views = hashes.count
      let classes = logits.count / views
      var features: [String: [Float]] = [:]
      for tap in wanted.taps {
        guard let tensor = self.features[tap] else { preconditionFailure("no tap \(tap)") }
        let size = tensor.count / views
        features[tap] = Array(UnsafeBufferPointer(start: tensor.pointer + row * size, count: size))
      }
      return ViewRecord(
        view: wanted.view, pixelHash: hashes[row],
        logits: wanted.needsLogits
          ? Array(logits[(row * classes)..<((row + 1) * classes)]) : nil,
        features: features)
    }
  }

  /// - Throws: ``NonFiniteTeacher``, naming the first image and view.
  package func run(_ keys: [ViewKey], keeping taps: Set<String>) throws(NonFiniteTeacher) -> Output
  {
    let batch = ViewBatch(keys: keys, renderer: renderer, on: execution)
    let output = network.forward(
      batch.images(normalization, on: execution), training: 0..<0, keeping: taps, on: execution)
    guard let logits = output.logits?.values else { preconditionFailure("no logits") }
    if let bad = logits.firstIndex(where: { !$0.isFinite }) {
      throw NonFiniteTeacher(key: keys[bad / network.classes])
    }
    return Output(hashes: batch.hashes, logits: logits, features: output.features)
  }
}
