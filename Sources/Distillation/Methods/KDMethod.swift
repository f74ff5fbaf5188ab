/// Hinton's distillation (arXiv 1503.02531) with mdistiller's weights:
/// 0.1·CE + 0.9·T²·KL(softmax(t/T) ‖ softmax(s/T)), T = 4.
package struct KDMethod: DistillationMethod {
  package static let views = [TrainingView.weak]
  package static let needsTeacher = true
  package let termNames = ["ce", "kd"]
  let settings: Settings
  let temperature: Double
  let labelSmoothing: Double

  package struct Settings: Equatable, Sendable {
    package var ceWeight: Double
    package var kdWeight: Double

    package init(ceWeight: Double = 0.1, kdWeight: Double = 0.9) {
      (self.ceWeight, self.kdWeight) = (ceWeight, kdWeight)
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
    let kd = knowledgeDistillation(
      student: student[0], teacher: teacher[0].logits, temperature: temperature)
    var gradient = ce.gradient.scaled(by: settings.ceWeight)
    gradient.add(kd.gradient, scale: settings.kdWeight)
    return DistillationLoss(
      terms: [("ce", settings.ceWeight * ce.value), ("kd", settings.kdWeight * kd.value)],
      gradients: [gradient])
  }
}
