/// Decoupled knowledge distillation (arXiv 2203.08679; mdistiller `distillers/DKD.py`):
/// CE + min(epoch / warm-up, 1)·(α·TCKD + β·NCKD), epoch counted from 1.
package struct DKDMethod: DistillationMethod {
  package static let views = [TrainingView.weak]
  package static let needsTeacher = true
  package let termNames = ["ce", "tckd", "nckd"]
  let settings: Settings
  let temperature: Double
  let labelSmoothing: Double

  package struct Settings: Equatable, Sendable {
    package var ceWeight: Double
    package var alpha: Double
    package var beta: Double
    package var warmup: Int  // epochs

    package init(ceWeight: Double = 1, alpha: Double = 1, beta: Double = 8, warmup: Int = 20) {
      (self.ceWeight, self.alpha, self.beta, self.warmup) = (ceWeight, alpha, beta, warmup)
    }
  }

  package init(
    _ settings: Settings = Settings(), temperature: Double, labelSmoothing: Double = 0
  ) {
    self.settings = settings
    self.temperature = temperature
    self.labelSmoothing = labelSmoothing
  }

  package func loss(
    student: [Matrix], teacher: [TeacherLogits], labels: [Int], epoch: Int
  ) -> DistillationLoss {
    let ce = crossEntropy(student[0], labels: labels, smoothing: labelSmoothing)
    let decoupled = decoupledDistillation(
      student: student[0], teacher: teacher[0].logits, labels: labels, temperature: temperature)
    let ramp = settings.warmup == 0 ? 1 : min(Double(epoch + 1) / Double(settings.warmup), 1)
    let (alpha, beta) = (ramp * settings.alpha, ramp * settings.beta)
    var gradient = ce.gradient.scaled(by: settings.ceWeight)
    gradient.add(decoupled.target.gradient, scale: alpha)
    gradient.add(decoupled.nonTarget.gradient, scale: beta)
    return DistillationLoss(
      terms: [
        ("ce", settings.ceWeight * ce.value), ("tckd", alpha * decoupled.target.value),
        ("nckd", beta * decoupled.nonTarget.value),
      ], gradients: [gradient])
  }
}
