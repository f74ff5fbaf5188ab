/// Plain cross entropy on the weak view: the baseline, and how a teacher is trained.
package struct CrossEntropyMethod: DistillationMethod {
  package let views = [TrainingView.weak]
  package let needsTeacher = false
  package let termNames = ["ce"]

  package init() {}

  package func loss(
    student: [Matrix], teacher: [TeacherLogits], labels: [Int], epoch: Int
  ) -> DistillationLoss {
    let ce = crossEntropy(student[0], labels: labels)
    return DistillationLoss(terms: [("ce", ce.value)], gradients: [ce.gradient])
  }
}
