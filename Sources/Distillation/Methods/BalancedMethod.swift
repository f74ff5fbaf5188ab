/// Balanced knowledge distillation for long-tailed data (arXiv 2104.10510; `losses.py`):
/// CE + α·T²·mean KL(balance(softmax(t/T), w) ‖ softmax(s/T)), CE unweighted.
///
/// Until `reweightFromEpoch` (counted from 0) the weights are ones, and the loss is CE + KD_T.
package struct BalancedMethod: DistillationMethod {
  package let views = [TrainingView.weak]
  package let needsTeacher = true
  package let termNames = ["ce", "bkd"]
  let temperature: Double
  let alpha: Double
  let reweightFromEpoch: Int
  let classWeights: [Double]
  let labelSmoothing: Double

  /// - Parameters:
  ///   - classCounts: images of each class in the student's training set, after its subset.
  ///   - beta: of the effective number, 0.9999 in the paper's code.
  package init(
    classCounts: [Int], temperature: Double = 2, alpha: Double = 1, beta: Double = 0.9999,
    reweightFromEpoch: Int = 0, labelSmoothing: Double = 0
  ) {
    self.temperature = temperature
    self.alpha = alpha
    self.reweightFromEpoch = reweightFromEpoch
    self.labelSmoothing = labelSmoothing
    classWeights = effectiveNumberWeights(counts: classCounts, beta: beta)
  }

  package func loss(
    student: [Matrix], teacher: [TeacherLogits], labels: [Int], epoch: Int
  ) -> DistillationLoss {
    let weights =
      epoch >= reweightFromEpoch
      ? classWeights : Array(repeating: 1, count: classWeights.count)
    let target = balancedTarget(
      teacher: teacher[0].logits, classWeights: weights, temperature: temperature)
    let ce = crossEntropy(student[0], labels: labels, smoothing: labelSmoothing)
    let divergence = meanDivergence(student[0], target: target, temperature: temperature)
    var gradient = ce.gradient
    gradient.add(divergence.gradient, scale: alpha)
    return DistillationLoss(
      terms: [("ce", ce.value), ("bkd", alpha * divergence.value)], gradients: [gradient])
  }
}
