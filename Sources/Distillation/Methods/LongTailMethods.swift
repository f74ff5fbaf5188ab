// Baselines for long tails beside balanced distillation: no teacher, weak views, one term.

/// Focal loss, see `focalLoss`.
package struct FocalMethod: DistillationMethod {
  package let views = [TrainingView.weak]
  package let needsTeacher = false
  package let termNames = ["focal"]
  let gamma: Double
  /// nil: no class weights.
  let classWeights: [Double]?
  let labelSmoothing: Double

  /// - Parameters:
  ///   - gamma: γ, 1 in the LDAM and BKD code.
  ///   - classCounts: images of each class in the training set.
  ///   - beta: of the effective number that weights the classes; 0 for no weights.
  package init(
    classCounts: [Int], gamma: Double = 1, beta: Double = 0, labelSmoothing: Double = 0
  ) {
    self.gamma = gamma
    classWeights = beta > 0 ? effectiveNumberWeights(counts: classCounts, beta: beta) : nil
    self.labelSmoothing = labelSmoothing
  }

  package func loss(
    student: [Matrix], teacher: [TeacherLogits], labels: [Int], epoch: Int
  ) -> DistillationLoss {
    let focal = focalLoss(
      student[0], labels: labels, gamma: gamma, classWeights: classWeights,
      smoothing: labelSmoothing)
    return DistillationLoss(terms: [("focal", focal.value)], gradients: [focal.gradient])
  }
}

/// LDAM with deferred re-weighting (arXiv 1906.07413), see `marginLoss`.
///
/// From `reweightFromEpoch` on (counted from 0) classes are weighted by their effective numbers.
package struct MarginMethod: DistillationMethod {
  package let views = [TrainingView.weak]
  package let needsTeacher = false
  package let termNames = ["ldam"]
  let scale: Double
  let margins: [Double]
  let classWeights: [Double]
  let reweightFromEpoch: Int
  let labelSmoothing: Double

  /// - Parameters:
  ///   - classCounts: images of each class in the training set.
  ///   - largestMargin: 0.5 in the paper's code.
  ///   - scale: 30 in the paper's code.
  ///   - beta: of the effective number, 0.9999 in the paper's code.
  package init(
    classCounts: [Int], largestMargin: Double = 0.5, scale: Double = 30, beta: Double = 0.9999,
    reweightFromEpoch: Int = 160, labelSmoothing: Double = 0
  ) {
    self.scale = scale
    margins = labelDistributionMargins(counts: classCounts, largest: largestMargin)
    classWeights = effectiveNumberWeights(counts: classCounts, beta: beta)
    self.reweightFromEpoch = reweightFromEpoch
    self.labelSmoothing = labelSmoothing
  }

  package func loss(
    student: [Matrix], teacher: [TeacherLogits], labels: [Int], epoch: Int
  ) -> DistillationLoss {
    let loss = marginLoss(
      student[0], labels: labels, margins: margins, scale: scale,
      classWeights: epoch >= reweightFromEpoch ? classWeights : nil, smoothing: labelSmoothing)
    return DistillationLoss(terms: [("ldam", loss.value)], gradients: [loss.gradient])
  }
}

/// Logit adjustment (arXiv 2007.07314, equation 10), see `adjustedCrossEntropy`.
package struct LogitAdjustmentMethod: DistillationMethod {
  package let views = [TrainingView.weak]
  package let needsTeacher = false
  package let termNames = ["la"]
  let adjustments: [Double]
  let labelSmoothing: Double

  /// - Parameters:
  ///   - classCounts: images of each class in the training set.
  ///   - tau: τ, 1 in the paper.
  package init(classCounts: [Int], tau: Double = 1, labelSmoothing: Double = 0) {
    adjustments = logPriors(counts: classCounts, tau: tau)
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
