package import Datasets
package import Networks
package import Tensors

/// What a network said about a list of views.
package struct Predictions: Sendable {
  package let classes: Int
  package let labels: [Int]
  /// N×classes, row by row.
  package let logits: [Float]
  /// The class of each row's largest logit; the first of equal ones.
  package let predicted: [Int]
  /// Max softmax of each row at temperature 1.
  package let confidence: [Double]

  package init(labels: [Int], logits: [Float], classes: Int) {
    precondition(
      logits.count == labels.count * classes,
      "\(logits.count) logits for \(labels.count) rows of \(classes)")
    self.classes = classes
    self.labels = labels
    self.logits = logits
    let matrix = Matrix(rows: labels.count, columns: classes, floats: logits)
    predicted = matrix.rowArgmax
    let logP = logSoftmax(matrix)
    confidence = predicted.enumerated().map { exponential(logP.values[$0 * classes + $1]) }
  }

  package var isCorrect: [Bool] { zip(labels, predicted).map { $0 == $1 } }
}

/// A network that answers with what is no number.
package struct NonFiniteAnswer: Error, CustomStringConvertible, Sendable {
  package let network: String
  package let image: Int

  package var description: String {
    "the logits of this \(network) for image \(image) are not finite: its training diverged, or its "
      + "weights are damaged; train it again with a lower --lr, or give other weights"
  }
}

/// Runs a network in inference mode over views.
///
/// - Throws: ``NonFiniteAnswer`` for logits that are no numbers, and what `progress` throws.
/// - Parameters:
///   - normalization: the network's own.
///   - logitScale: what turns the answers of a network that gives cosines into logits.
///   - progress: called with the number of views done, after every batch; may throw to stop.
package func predict(
  _ network: Classifier, _ keys: [ViewKey], renderer: ViewRenderer, normalization: Normalization,
  logitScale: Float = 1, execution: Execution, progress: (Int) throws -> Void = { _ in }
) throws -> Predictions {
  var logits: [Float] = []
  logits.reserveCapacity(keys.count * network.classes)
  for start in stride(from: 0, to: keys.count, by: 100) {
    let batch = ViewBatch(
      keys: Array(keys[start..<min(start + 100, keys.count)]), renderer: renderer, on: execution)
    let values = network.infer(batch.images(normalization, on: execution), on: execution)
      .logits.values
    if let wrong = values.firstIndex(where: { !$0.isFinite }) {
      let image = batch.keys[wrong / network.classes].image
      throw NonFiniteAnswer(network: network.architecture, image: image)
    }
    logits += logitScale == 1 ? values : values.map { $0 * logitScale }
    try progress(start + batch.keys.count)
  }
  return Predictions(
    labels: keys.map { renderer.images.labels[$0.image] }, logits: logits,
    classes: network.classes)
}

/// Runs a network in inference mode over the plain views of a whole image set, or of the images `chosen`.
package func predict(
  _ network: Classifier, on images: ImageSet, only chosen: [Int]? = nil, info: DatasetInfo,
  normalization: Normalization, logitScale: Float = 1, execution: Execution,
  progress: (Int) throws -> Void = { _ in }
) throws -> Predictions {
  try predict(
    network, (chosen ?? Array(0..<images.count)).map { ViewKey(image: $0, view: .plain) },
    renderer: ViewRenderer(images: images, info: info, seed: 0), normalization: normalization,
    logitScale: logitScale, execution: execution, progress: progress)
}
