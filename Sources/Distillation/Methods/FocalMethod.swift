/// Focal loss (arXiv 1708.02002) in the form of the LDAM and BKD code, see `focalLoss`; no teacher.
package struct FocalMethod: DistillationMethod {
  package static let views = [TrainingView.weak]
  package static let needsTeacher = false
  package let termNames = ["focal"]
  let settings: Settings
  /// nil: no class weights.
  let classWeights: [Double]?
  let labelSmoothing: Double

  package struct Settings: Equatable, Sendable {
    /// γ, 1 in the LDAM and BKD code.
    package var gamma: Double
    /// Of the effective number that weights the classes; 0 for no weights.
    package var beta: Double

    package init(gamma: Double = 1, beta: Double = 0) {
      (self.gamma, self.beta) = (gamma, beta)
    }
  }

  /// - Parameter classCounts: images of each class in the training set.
  package init(
    _ settings: Settings = Settings(), classCounts: [Int], labelSmoothing: Double = 0
  ) {
    self.settings = settings
    classWeights =
      settings.beta > 0 ? effectiveNumberWeights(counts: classCounts, beta: settings.beta) : nil
    self.labelSmoothing = labelSmoothing
  }

  package func loss(
    student: [Matrix], teacher: [TeacherLogits], labels: [Int], epoch: Int
  ) -> DistillationLoss {
    let focal = focalLoss(
      student[0], labels: labels, gamma: settings.gamma, classWeights: classWeights,
      smoothing: labelSmoothing)
    return DistillationLoss(terms: [("focal", focal.value)], gradients: [focal.gradient])
  }
}
