/// Cross entropy of each row against a smoothed target, with the gradient of the *sum* over rows.
///
/// PyTorch's `CrossEntropyLoss(weight, reduction="none", label_smoothing=ε)`: the target of an image
/// of class y is (1−ε)·onehot(y) + ε/C, and every class c counts with its weight:
/// −Σ_c w_c·target_c·log p_c. So ε = 0 gives w_y·nll.
///
/// - Parameter smoothing: ε, from 0 to 1.
package func crossEntropyRows(
  _ logits: Matrix, labels: [Int], classWeights: [Double]? = nil, smoothing: Double = 0
) -> (values: [Double], gradient: Matrix) {
  let c = logits.columns
  precondition(labels.count == logits.rows, "\(labels.count) labels for \(logits.rows) rows")
  precondition((0...1).contains(smoothing), "label smoothing is \(smoothing), expected 0 to 1")
  let logP = logSoftmax(logits)
  let p = softmax(logits)
  var values = Array(repeating: 0.0, count: logits.rows)
  var gradient = Matrix(rows: logits.rows, columns: c)
  for (i, label) in labels.enumerated() {
    var mass = 0.0
    for j in 0..<c {
      let share = smoothing / Double(c) + (j == label ? 1 - smoothing : 0)
      guard share > 0 else { continue }
      let weight = share * (classWeights?[j] ?? 1)
      values[i] -= weight * logP.values[i * c + j]
      gradient.values[i * c + j] = -weight
      mass += weight
    }
    for j in 0..<c { gradient.values[i * c + j] += mass * p.values[i * c + j] }
  }
  return (values, gradient)
}
