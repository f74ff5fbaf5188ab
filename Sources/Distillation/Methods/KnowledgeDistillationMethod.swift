/// Hinton's distillation (arXiv 1503.02531) with mdistiller's weights:
/// 0.1·CE + 0.9·T²·KL(softmax(t/T) ‖ softmax(s/T)), T = 4.
package struct KnowledgeDistillationMethod: DistillationMethod {
  package let views = [TrainingView.weak]
  package let needsTeacher = true
  package let termNames = ["ce", "kd"]
  let temperature: Double
  let ceWeight: Double
  let kdWeight: Double
  let labelSmoothing: Double

  package init(
    temperature: Double = 4, ceWeight: Double = 0.1, kdWeight: Double = 0.9,
    labelSmoothing: Double = 0
  ) {
    self.temperature = temperature
    self.ceWeight = ceWeight
    self.kdWeight = kdWeight
    self.labelSmoothing = labelSmoothing
  }

  package func loss(
    student: [Matrix], teacher: [TeacherLogits], labels: [Int], epoch: Int
  ) -> DistillationLoss {
    let ce = crossEntropy(student[0], labels: labels, smoothing: labelSmoothing)
    let kd = knowledgeDistillation(
      student: student[0], teacher: teacher[0].logits, temperature: temperature)
    var gradient = ce.gradient.scaled(by: ceWeight)
    gradient.add(kd.gradient, scale: kdWeight)
    return DistillationLoss(
      terms: [("ce", ceWeight * ce.value), ("kd", kdWeight * kd.value)], gradients: [gradient])
  }
}
