import Tensors

/// τ·log π_c of each class, π being the classes' shares of the training set (arXiv 2007.07314).
///
/// - Parameter counts: training images of each class; a class without images counts as one.
package func logPriors(counts: [Int], tau: Double) -> [Double] {
  let present = counts.map { Double(max($0, 1)) }
  let total = logarithm(present.reduce(0, +))
  return present.map { tau * (logarithm($0) - total) }
}

/// The logit-adjusted loss: cross entropy of z + τ·log π. The network itself is judged by z.
package func adjustedCrossEntropy(
  _ logits: Matrix, labels: [Int], adjustments: [Double], smoothing: Double = 0
) -> LossValue {
  let c = logits.columns
  precondition(adjustments.count == c, "\(adjustments.count) adjustments for \(c) classes")
  var adjusted = logits
  for i in adjusted.values.indices { adjusted.values[i] += adjustments[i % c] }
  return crossEntropy(adjusted, labels: labels, smoothing: smoothing)
}
