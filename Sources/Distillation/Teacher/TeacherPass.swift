package import Datasets
package import Networks
package import TeacherCache
package import Tensors

/// A teacher output that is not a number.
package struct NonFiniteTeacher: Error, CustomStringConvertible, Sendable {
  package let key: ViewKey
  /// The tap whose features it was found in; nil for logits.
  package var tap: String?

  package var description: String {
    let output = tap.map { "features at \($0)" } ?? "logits"
    return "the teacher's \(output) for image \(key.image), view \(key.view) are not finite: the "
      + "weights or the normalisation (--mean, --std; in student-train --teacher-mean, --teacher-std) do "
      + "not fit; nothing of this view was stored or trained on"
  }

  /// Fails where an output of these views, as many numbers for each, holds what is no number.
  static func check(
    _ output: Tensor, of keys: [ViewKey], tap: String? = nil
  ) throws(NonFiniteTeacher) {
    guard !output.isFinite, let bad = output.values.firstIndex(where: { !$0.isFinite }) else {
      return
    }
    throw NonFiniteTeacher(key: keys[bad / (output.count / keys.count)], tap: tap)
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
    let (logits, features) = network.infer(
      batch.images(normalization, on: execution), keeping: taps, on: execution)
    try NonFiniteTeacher.check(logits, of: keys)
    return Output(hashes: batch.hashes, logits: logits.values, features: features)
  }
}
