/// Balanced knowledge distillation for long-tailed data (arXiv 2104.10510; `losses.py`):
/// CE + α·T²·mean KL(balance(softmax(t/T), w) ‖ softmax(s/T)), CE unweighted.
///
/// Until `reweightFromEpoch` (counted from 0) the weights are ones, and the loss is CE + KD_T.
package struct BKDMethod: DistillationMethod {
  package static let views = [TrainingView.weak]
  package static let needsTeacher = true
  package let termNames = ["ce", "bkd"]
  let settings: Settings
  let classWeights: [Double]
  let temperature: Double
  let labelSmoothing: Double

  package struct Settings: Equatable, Sendable {
    package var alpha: Double
    /// Of the effective number, 0.9999 in the paper's code.
    package var beta: Double
    package var reweightFromEpoch: Int

    package init(alpha: Double = 1, beta: Double = 0.9999, reweightFromEpoch: Int = 0) {
      (self.alpha, self.beta) = (alpha, beta)
      self.reweightFromEpoch = reweightFromEpoch
    }
  }

  /// - Parameter classCounts: images of each class in the student's training set, after its subset.
  package init(
    _ settings: Settings = Settings(), classCounts: [Int], temperature: Double,
    labelSmoothing: Double = 0
  ) {
    self.settings = settings
    classWeights = effectiveNumberWeights(counts: classCounts, beta: settings.beta)
    self.temperature = temperature
    self.labelSmoothing = labelSmoothing
  }

  package func loss(
    student: [Matrix], teacher: [TeacherLogits], labels: [Int], epoch: Int
  ) -> DistillationLoss {
    let weights =
      epoch >= settings.reweightFromEpoch
      ? classWeights : Array(repeating: 1, count: classWeights.count)
    let target = balancedTarget(
      teacher: teacher[0].logits, classWeights: weights, temperature: temperature)
    let ce = crossEntropy(student[0], labels: labels, smoothing: labelSmoothing)
    let divergence = meanDivergence(student[0], target: target, temperature: temperature)
    var gradient = ce.gradient
    gradient.add(divergence.gradient, scale: settings.alpha)
    return DistillationLoss(
      terms: [("ce", ce.value), ("bkd", settings.alpha * divergence.value)],
      gradients: [gradient])
  }
}
