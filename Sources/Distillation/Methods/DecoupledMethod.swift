/// Decoupled knowledge distillation (arXiv 2203.08679; mdistiller `distillers/DKD.py`):
/// CE + min(epoch / warm-up, 1)·(α·TCKD + β·NCKD), epoch counted from 1.
package struct DecoupledMethod: DistillationMethod {
  package let views = [TrainingView.weak]
  package let needsTeacher = true
  package let termNames = ["ce", "tckd", "nckd"]
  let temperature: Double
  let ceWeight: Double
  let alpha: Double
  let beta: Double
  let warmupEpochs: Int
  let labelSmoothing: Double

  package init(
    temperature: Double = 4, ceWeight: Double = 1, alpha: Double = 1, beta: Double = 8,
    warmupEpochs: Int = 20, labelSmoothing: Double = 0
  ) {
    self.temperature = temperature
    self.ceWeight = ceWeight
    self.alpha = alpha
    self.beta = beta
    self.warmupEpochs = warmupEpochs
    self.labelSmoothing = labelSmoothing
  }

  package func loss(
    student: [Matrix], teacher: [TeacherLogits], labels: [Int], epoch: Int
  ) -> DistillationLoss {
    let ce = crossEntropy(student[0], labels: labels, smoothing: labelSmoothing)
    let decoupled = decoupledDistillation(
      student: student[0], teacher: teacher[0].logits, labels: labels, temperature: temperature)
    let ramp = warmupEpochs == 0 ? 1 : min(Double(epoch + 1) / Double(warmupEpochs), 1)
    var gradient = ce.gradient.scaled(by: ceWeight)
    gradient.add(decoupled.target.gradient, scale: ramp * alpha)
    gradient.add(decoupled.nonTarget.gradient, scale: ramp * beta)
    return DistillationLoss(
      terms: [
        ("ce", ceWeight * ce.value), ("tckd", ramp * alpha * decoupled.target.value),
        ("nckd", ramp * beta * decoupled.nonTarget.value),
      ], gradients: [gradient])
  }
}
