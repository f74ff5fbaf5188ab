/// Cross entropy on the weak view: the baseline, and how a teacher is trained.
///
/// With class weights it is the weighted mean, from `reweightFromEpoch` on (counted from 0): what the
/// LDAM and BKD code call Reweight, or deferred (DRW) where that isn't 0.
package struct CrossEntropyMethod: DistillationMethod {
  package let views = [TrainingView.weak]
  package let needsTeacher = false
  package let termNames = ["ce"]

  /// nil: no class weights.
  let classWeights: [Double]?
  let reweightFromEpoch: Int
  let labelSmoothing: Double

  /// - Parameters:
  ///   - classCounts: images of each class in the training set.
  ///   - beta: of the effective number that weights the classes; 0 for no weights.
  package init(
    classCounts: [Int] = [], beta: Double = 0, reweightFromEpoch: Int = 0,
    labelSmoothing: Double = 0
  ) {
    classWeights = beta > 0 ? effectiveNumberWeights(counts: classCounts, beta: beta) : nil
    self.reweightFromEpoch = reweightFromEpoch
    self.labelSmoothing = labelSmoothing
  }

  package func loss(
    student: [Matrix], teacher: [TeacherLogits], labels: [Int], epoch: Int
  ) -> DistillationLoss {
    let ce = crossEntropy(
      student[0], labels: labels,
      classWeights: epoch >= reweightFromEpoch ? classWeights : nil, smoothing: labelSmoothing)
    return DistillationLoss(terms: [("ce", ce.value)], gradients: [ce.gradient])
  }
}
