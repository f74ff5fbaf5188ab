/// CRLD (arXiv 2412.16493): weak and strong view, each its own forward pass with its own batch-norm
/// statistics, confidence masks; see `crossViewConsistency`.
package struct CRLDMethod: DistillationMethod {
  package static let views = [TrainingView.weak, .strong]
  package static let needsTeacher = true
  package let termNames = ["ce", "within_view", "cross_view"]
  let weights: CrossViewWeights
  let temperature: Double
  let labelSmoothing: Double

  package init(
    _ weights: CrossViewWeights = CrossViewWeights(), temperature: Double,
    labelSmoothing: Double = 0
  ) {
    self.weights = weights
    self.temperature = temperature
    self.labelSmoothing = labelSmoothing
  }

  package func loss(
    student: [Matrix], teacher: [TeacherLogits], labels: [Int], epoch: Int
  ) -> DistillationLoss {
    let loss = crossViewConsistency(
      weak: student[0], strong: student[1], teacherWeak: teacher[0], teacherStrong: teacher[1],
      labels: labels, temperature: temperature, weights: weights, labelSmoothing: labelSmoothing)
    return DistillationLoss(
      terms: [
        ("ce", loss.crossEntropy), ("within_view", loss.withinView),
        ("cross_view", loss.crossView),
      ], gradients: [loss.weakGradient, loss.strongGradient])
  }
}
