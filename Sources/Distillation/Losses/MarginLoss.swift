/// The margins of LDAM (arXiv 1906.07413): n_c^(−1/4), scaled so that the largest is `largest`.
///
/// - Parameter counts: training images of each class; one without images has no margin.
package func labelDistributionMargins(counts: [Int], largest: Double) -> [Double] {
  let raw = counts.map { $0 > 0 ? 1 / Double($0).squareRoot().squareRoot() : 0 }
  let peak = raw.max() ?? 1
  return raw.map { $0 * (largest / peak) }
}

/// LDAM's loss: (weighted) cross entropy of scale·(x − margin_y·onehot(y)), x being the cosines of a
/// normalised classifier, rows × classes.
package func marginLoss(
  _ cosines: Matrix, labels: [Int], margins: [Double], scale: Double,
  classWeights: [Double]? = nil, smoothing: Double = 0
) -> LossValue {
  precondition(
    margins.count == cosines.columns, "\(margins.count) margins for \(cosines.columns) classes")
  var shifted = cosines
  for (i, label) in labels.enumerated() {
    shifted.values[i * cosines.columns + label] -= margins[label]
  }
  var loss = crossEntropy(
    shifted.scaled(by: scale), labels: labels, classWeights: classWeights, smoothing: smoothing)
  loss.gradient = loss.gradient.scaled(by: scale)
  return loss
}
