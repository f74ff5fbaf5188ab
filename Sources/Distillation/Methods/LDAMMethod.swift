/// LDAM with deferred re-weighting (arXiv 1906.07413), see `marginLoss`; no teacher.
///
/// From `reweightFromEpoch` on (counted from 0) classes are weighted by their effective numbers.
package struct LDAMMethod: DistillationMethod {
  package static let views = [TrainingView.weak]
  package static let needsTeacher = false
  package let termNames = ["ldam"]
  let settings: Settings
  let margins: [Double]
  let classWeights: [Double]
  let labelSmoothing: Double

  /// The defaults are those of the paper's code.
  package struct Settings: Equatable, Sendable {
    package var maxMargin: Double
    package var scale: Double
    /// Of the effective number.
    package var beta: Double
    package var reweightFromEpoch: Int

    package init(
      maxMargin: Double = 0.5, scale: Double = 30, beta: Double = 0.9999,
      reweightFromEpoch: Int = 160
    ) {
      (self.maxMargin, self.scale, self.beta) = (maxMargin, scale, beta)
      self.reweightFromEpoch = reweightFromEpoch
    }
  }

  /// - Parameter classCounts: images of each class in the training set.
  package init(
    _ settings: Settings = Settings(), classCounts: [Int], labelSmoothing: Double = 0
  ) {
    self.settings = settings
    margins = labelDistributionMargins(counts: classCounts, largest: settings.maxMargin)
    classWeights = effectiveNumberWeights(counts: classCounts, beta: settings.beta)
    self.labelSmoothing = labelSmoothing
  }

  package func loss(
    student: [Matrix], teacher: [TeacherLogits], labels: [Int], epoch: Int
  ) -> DistillationLoss {
    let loss = marginLoss(
      student[0], labels: labels, margins: margins, scale: settings.scale,
      classWeights: epoch >= settings.reweightFromEpoch ? classWeights : nil,
      smoothing: labelSmoothing)
    return DistillationLoss(terms: [("ldam", loss.value)], gradients: [loss.gradient])
  }
}
