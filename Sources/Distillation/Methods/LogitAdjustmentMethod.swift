/// Logit adjustment (arXiv 2007.07314, equation 10), see `adjustedCrossEntropy`; no teacher.
package struct LogitAdjustmentMethod: DistillationMethod {
  package static let views = [TrainingView.weak]
  package static let needsTeacher = false
  package let termNames = ["la"]
  let adjustments: [Double]
  let labelSmoothing: Double

  package struct Settings: Equatable, Sendable {
    /// τ, 1 in the paper.
    package var tau: Double

    package init(tau: Double = 1) { self.tau = tau }
  }

  /// - Parameter classCounts: images of each class in the training set.
  package init(
    _ settings: Settings = Settings(), classCounts: [Int], labelSmoothing: Double = 0
  ) {
    adjustments = logPriors(counts: classCounts, tau: settings.tau)
    self.labelSmoothing = labelSmoothing
  }

  package func loss(
    student: [Matrix], teacher: [TeacherLogits], labels: [Int], epoch: Int
  ) -> DistillationLoss {
    let loss = adjustedCrossEntropy(
      student[0], labels: labels, adjustments: adjustments, smoothing: labelSmoothing)
    return DistillationLoss(terms: [("la", loss.value)], gradients: [loss.gradient])
  }
}
