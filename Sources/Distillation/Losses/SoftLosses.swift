import Tensors

/// A loss value and its gradient at the student's logits (rows × classes).
package struct LossValue: Sendable {
  package var value: Double
  package var gradient: Matrix
}

/// log softmax(z / T) of each row; finite for every finite z.
package func logSoftmax(_ logits: Matrix, temperature: Double = 1) -> Matrix {
  var result = logits
  let c = logits.columns
  for i in 0..<logits.rows {
    let row = logits.row(i)
    let peak = row.max() ?? 0
    var sum = 0.0
    for z in row { sum += exponential((z - peak) / temperature) }
    let logSum = logarithm(sum)
    for j in 0..<c {
      result.values[i * c + j] = (logits.values[i * c + j] - peak) / temperature - logSum
    }
  }
  return result
}

/// softmax(z / T) of each row.
package func softmax(_ logits: Matrix, temperature: Double = 1) -> Matrix {
  var result = logSoftmax(logits, temperature: temperature)
  for i in result.values.indices { result.values[i] = exponential(result.values[i]) }
  return result
}

/// Cross entropy against integer labels.
///
/// Without weights the mean over the batch. With class weights w the weighted mean
/// Σ w[yᵢ]·nllᵢ / Σ w[yᵢ], PyTorch's convention (not divided by the batch size).
///
/// - Parameter smoothing: see `crossEntropyRows`; 0 for one-hot targets.
package func crossEntropy(
  _ logits: Matrix, labels: [Int], classWeights: [Double]? = nil, smoothing: Double = 0
) -> LossValue {
  if smoothing > 0 {
    let rows = crossEntropyRows(
      logits, labels: labels, classWeights: classWeights, smoothing: smoothing)
    let total = labels.reduce(0) { $0 + (classWeights?[$1] ?? 1) }
    return LossValue(
      value: rows.values.reduce(0, +) / total, gradient: rows.gradient.scaled(by: 1 / total))
  }
  let logP = logSoftmax(logits)
  let c = logits.columns
  let total: Double
  if let classWeights {
    total = labels.reduce(0) { $0 + classWeights[$1] }
  } else {
    total = Double(logits.rows)
  }
  var value = 0.0
  var gradient = Matrix(rows: logits.rows, columns: c)
  for (i, label) in labels.enumerated() {
    let a = (classWeights?[label] ?? 1) / total
    value -= a * logP.values[i * c + label]
    for j in 0..<c {
      let p = exponential(logP.values[i * c + j])
      gradient.values[i * c + j] = a * (j == label ? p - 1 : p)
    }
  }
  return LossValue(value: value, gradient: gradient)
}

/// T² · KL(target ‖ softmax(z / T)) of each row, 0·log 0 = 0, with the gradient of the *sum* over
/// rows, T·(softmax(z / T) − target); the caller weights and averages.
///
/// - Parameter target: rows × classes of probabilities.
package func softenedDivergence(
  _ logits: Matrix, target: Matrix, temperature t: Double
) -> (rows: [Double], gradient: Matrix) {
  let logP = logSoftmax(logits, temperature: t)
  let c = logits.columns
  var rows = Array(repeating: 0.0, count: logits.rows)
  var gradient = Matrix(rows: logits.rows, columns: c)
  for i in 0..<logits.rows {
    var divergence = 0.0
    for j in 0..<c {
      let q = target.values[i * c + j]
      let lp = logP.values[i * c + j]
      if q > 0 { divergence += q * (logarithm(q) - lp) }
      gradient.values[i * c + j] = t * (exponential(lp) - q)
    }
    rows[i] = t * t * divergence
  }
  return (rows, gradient)
}

/// Hinton's term: T² · mean over the batch of KL(softmax(t / T) ‖ softmax(s / T)).
package func knowledgeDistillation(
  student: Matrix, teacher: Matrix, temperature: Double
) -> LossValue {
  meanDivergence(
    student, target: softmax(teacher, temperature: temperature), temperature: temperature)
}

/// T² · mean over the batch of KL(target ‖ softmax(s / T)).
package func meanDivergence(_ student: Matrix, target: Matrix, temperature: Double) -> LossValue {
  let (rows, gradient) = softenedDivergence(student, target: target, temperature: temperature)
  let b = Double(student.rows)
  return LossValue(value: rows.reduce(0, +) / b, gradient: gradient.scaled(by: 1 / b))
}
