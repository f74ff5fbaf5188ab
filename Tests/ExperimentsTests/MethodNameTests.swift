import Datasets
import Distillation
import Experiments
import Testing

struct MethodNameTests {
  /// What is read for a method before its plan is made is what the plan's objectives look at.
  @Test(arguments: MethodName.allCases)
  func theRegistrySaysWhatTheMethodNeeds(name: MethodName) throws {
    let student = name == .ldam ? "resnet32_s_normed" : "resnet8"
    let taps = ["stage1", "stage2", "stage3"]
    let plan = try name.plan(
      Settings(method: name, student: student, dataset: .cifar10),
      for: RunShape(
        stepsPerEpoch: 10, classCounts: Array(repeating: 50, count: 10), studentTaps: taps,
        teacherTaps: taps, studentGivesCosines: name == .ldam))
    var views: Set<TrainingView> = []
    var (logits, features) = (false, false)
    for phase in plan.phases {
      switch phase.objective {
      case .logits(let method):
        views.formUnion(method.views)
        logits = logits || method.needsTeacher
      case .features: features = true
      }
    }
    #expect(views == Set(name.views))
    #expect(logits == name.needsTeacherLogits)
    #expect(features == name.needsTeacherFeatures)
  }
}
