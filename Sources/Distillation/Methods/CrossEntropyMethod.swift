/// Plain cross entropy on the weak view: the baseline, and how a teacher is trained.
package struct CrossEntropyMethod: DistillationMethod {
  package let views = [TrainingView.weak]
  package let needsTeacher = false
  package let termNames = ["ce"]

  let labelSmoothing: Double

  package init(labelSmoothing: Double = 0) { self.labelSmoothing = labelSmoothing }

  package func loss(
    student: [Matrix], teacher: [TeacherLogits], labels: [Int], epoch: Int
  ) -> DistillationLoss {
    let ce = crossEntropy(student[0], labels: labels, smoothing: labelSmoothing)
    return DistillationLoss(terms: [("ce", ce.value)], gradients: [ce.gradient])
  }
}
