import Tensors

/// The two halves of DKD, each with T² and the mean over the batch, before α and β.
package struct DecoupledLoss: Sendable {
  /// T²·mean KL((q_y, 1−q_y) ‖ (p_y, 1−p_y)): how sure the teacher is of the target class.
  package let target: LossValue
  /// T²·mean KL(q̂ ‖ p̂) over the C−1 classes that are not the target.
  package let nonTarget: LossValue
}

/// Decoupled knowledge distillation (arXiv 2203.08679, equations 5–7), p = softmax(s/T) and
/// q = softmax(t/T); hats are the softmax with the target class left out.
///
/// Gradients: target class T(p_y−q_y)/B; others −T(p_y−q_y)·p̂_j/B from the first half and
/// T(p̂_j−q̂_j)/B from the second.
package func decoupledDistillation(
  student: Matrix, teacher: Matrix, labels: [Int], temperature t: Double
) -> DecoupledLoss {
  let (b, c) = (Double(student.rows), student.columns)
  let logP = logSoftmax(student, temperature: t)
  let q = softmax(teacher, temperature: t)
  let logPRest = logSoftmaxWithoutTarget(student, labels: labels, temperature: t)
  let logQRest = logSoftmaxWithoutTarget(teacher, labels: labels, temperature: t)
  var targetValue = 0.0
  var restValue = 0.0
  var targetGradient = Matrix(rows: student.rows, columns: c)
  var restGradient = Matrix(rows: student.rows, columns: c)
  for (i, label) in labels.enumerated() {
    let logPTarget = logP.values[i * c + label]
    let (pTarget, qTarget) = (exponential(logPTarget), q.values[i * c + label])
    // 1 − p_y as a sum: the difference cancels when the network is nearly certain.
    let pRest = sumWithoutTarget(logP.row(i), label, exponential)
    let qRest = sumWithoutTarget(q.row(i), label) { $0 }
    if qTarget > 0 { targetValue += qTarget * (logarithm(qTarget) - logPTarget) }
    if qRest > 0 { targetValue += qRest * (logarithm(qRest) - logarithm(pRest)) }
    // p_y − q_y, from whichever side of the split loses less.
    let difference = pTarget < 0.5 ? pTarget - qTarget : qRest - pRest
    targetGradient.values[i * c + label] = t * difference / b
    for j in 0..<c where j != label {
      let (lp, lq) = (logPRest.values[i * c + j], logQRest.values[i * c + j])
      let (p, q) = (exponential(lp), exponential(lq))
      if q > 0 { restValue += q * (lq - lp) }
      targetGradient.values[i * c + j] = -t * difference * p / b
      restGradient.values[i * c + j] = t * (p - q) / b
    }
  }
  return DecoupledLoss(
    target: LossValue(value: t * t * targetValue / b, gradient: targetGradient),
    nonTarget: LossValue(value: t * t * restValue / b, gradient: restGradient))
}

private func sumWithoutTarget(
  _ row: ArraySlice<Double>, _ label: Int, _ value: (Double) -> Double
) -> Double {
  var sum = 0.0
  for (j, x) in row.enumerated() where j != label { sum += value(x) }
  return sum
}

/// log softmax over the classes that are not the label; the label's own entry is left at 0.
private func logSoftmaxWithoutTarget(
  _ logits: Matrix, labels: [Int], temperature t: Double
) -> Matrix {
  let c = logits.columns
  var result = Matrix(rows: logits.rows, columns: c)
  for (i, label) in labels.enumerated() {
    var peak = -Double.infinity
    for j in 0..<c where j != label { peak = max(peak, logits.values[i * c + j]) }
    var sum = 0.0
    for j in 0..<c where j != label { sum += exponential((logits.values[i * c + j] - peak) / t) }
    let logSum = logarithm(sum)
    for j in 0..<c where j != label {
      result.values[i * c + j] = (logits.values[i * c + j] - peak) / t - logSum
    }
  }
  return result
}
