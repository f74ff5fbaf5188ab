import Tensors

/// The focal loss (arXiv 1708.02002) in the form of the LDAM and BKD code: mean (1 − p)^γ·u with
/// u = w_y·nll and p = exp(−u), so that a class weight acts before p is formed.
///
/// du = (1 − p)^γ + γ·u·p·(1 − p)^(γ−1), times the gradient of u.
///
/// - Parameters:
///   - gamma: γ from 0 on; 0 leaves the (weighted) cross entropy, divided by the batch size.
///   - smoothing: of the labels, inside u.
package func focalLoss(
  _ logits: Matrix, labels: [Int], gamma: Double, classWeights: [Double]? = nil,
  smoothing: Double = 0
) -> LossValue {
  precondition(gamma >= 0, "the focal loss has no γ of \(gamma)")
  var (rows, gradient) = crossEntropyRows(
    logits, labels: labels, classWeights: classWeights, smoothing: smoothing)
  let (b, c) = (Double(logits.rows), logits.columns)
  for (i, u) in rows.enumerated() {
    let p = exponential(-u)
    let rest = 1 - p
    // u·(1 − p)^(γ−1) goes to 0 with u for every γ > 0; written out it would be 0·∞.
    let factor = gamma == 0 ? 1 : rest > 0 ? exponential(gamma * logarithm(rest)) : 0
    let slope = rest > 0 ? factor + gamma * u * p * factor / rest : factor
    rows[i] = factor * u
    for j in (i * c)..<((i + 1) * c) { gradient.values[j] *= slope / b }
  }
  return LossValue(value: rows.reduce(0, +) / b, gradient: gradient)
}
