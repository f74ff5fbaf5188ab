/// Cross entropy on the weak view: the baseline, and how a teacher is trained.
///
/// With class weights it is the weighted mean, from `reweightFromEpoch` on (counted from 0): what the
/// LDAM and BKD code call Reweight, or deferred (DRW) where that isn't 0.
package struct CrossEntropyMethod: DistillationMethod {
  package static let views = [TrainingView.weak]
  package static let needsTeacher = false
  package let termNames = ["ce"]
  let settings: Settings
  /// nil: no class weights.
  let classWeights: [Double]?
  let labelSmoothing: Double

  package struct Settings: Equatable, Sendable {
    /// Of the effective number that weights the classes; 0 for no weights.
    package var beta: Double
    package var reweightFromEpoch: Int

    package init(beta: Double = 0, reweightFromEpoch: Int = 0) {
      (self.beta, self.reweightFromEpoch) = (beta, reweightFromEpoch)
    }
  }

  /// - Parameter classCounts: images of each class in the training set; only weights need them.
  package init(
    _ settings: Settings = Settings(), classCounts: [Int] = [], labelSmoothing: Double = 0
  ) {
    self.settings = settings
    classWeights =
      settings.beta > 0 ? effectiveNumberWeights(counts: classCounts, beta: settings.beta) : nil
    self.labelSmoothing = labelSmoothing
  }

  package func loss(
    student: [Matrix], teacher: [TeacherLogits], labels: [Int], epoch: Int
  ) -> DistillationLoss {
    let ce = crossEntropy(
      student[0], labels: labels,
      classWeights: epoch >= settings.reweightFromEpoch ? classWeights : nil,
      smoothing: labelSmoothing)
    return DistillationLoss(terms: [("ce", ce.value)], gradients: [ce.gradient])
  }
}
