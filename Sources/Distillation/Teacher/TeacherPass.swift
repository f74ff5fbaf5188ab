package import Datasets
package import Networks
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

  package struct Output {
    package let hashes: [UInt64]
    /// batch × classes.
    package let logits: [Float]
    /// N×H×W×C of each kept tap.
    package let features: [String: Tensor]
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
