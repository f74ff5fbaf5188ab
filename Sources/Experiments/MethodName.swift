package import Distillation

/// The registry of methods: the one place that knows them by name.
package enum MethodName: String, CaseIterable, Sendable {
  case ce, kd, dkd, bkd, sskd, crld

  /// The paper or code that the method follows.
  package var reference: String {
    switch self {
    case .ce: "cross entropy"
    case .kd: "arXiv 1503.02531"
    case .dkd: "arXiv 2203.08679"
    case .bkd: "arXiv 2104.10510"
    case .sskd: "arXiv 1812.01819"
    case .crld: "arXiv 2412.16493"
    }
  }

  /// The kinds of random views that the method trains on.
  package var views: [TrainingView] { self == .crld ? [.weak, .strong] : [.weak] }

  /// Whether a teacher's logits are compared.
  package var needsTeacherLogits: Bool { self != .ce && self != .sskd }

  /// Whether a teacher's features are compared.
  package var needsTeacherFeatures: Bool { self == .sskd }

  package var needsTeacher: Bool { needsTeacherLogits || needsTeacherFeatures }

  /// The training program of a run.
  package func plan(_ settings: Settings, for run: RunShape) throws(PlanError) -> TrainingPlan {
    let method: any DistillationMethod
    switch self {
    case .ce: method = CrossEntropyMethod()
    case .kd:
      method = KnowledgeDistillationMethod(
        temperature: settings.temperature, ceWeight: settings.kd.ceWeight,
        kdWeight: settings.kd.kdWeight)
    case .dkd:
      method = DecoupledMethod(
        temperature: settings.temperature, ceWeight: settings.dkd.ceWeight,
        alpha: settings.dkd.alpha, beta: settings.dkd.beta, warmupEpochs: settings.dkd.warmup)
    case .bkd:
      method = BalancedMethod(
        classCounts: run.classCounts, temperature: settings.temperature,
        alpha: settings.bkd.alpha, beta: settings.bkd.beta,
        reweightFromEpoch: settings.bkd.reweightFromEpoch)
    case .crld:
      method = CrossViewMethod(temperature: settings.temperature, weights: settings.crld)
    case .sskd:
      return try stageByStagePlan(
        studentTaps: run.studentTaps, teacherTaps: run.teacherTaps, settings: settings.sskd,
        learningRate: settings.learningRate, decay: settings.learningRateDecay,
        stepsPerEpoch: run.stepsPerEpoch, epochs: settings.epochs)
    }
    return .whole(
      method, parts: run.studentTaps.count + 1, schedule: settings.schedule,
      stepsPerEpoch: run.stepsPerEpoch, epochs: settings.epochs)
  }
}

/// What a training program depends on beside its settings.
package struct RunShape: Sendable {
  package let stepsPerEpoch: Int
  /// Images of each class in the student's training set, after its subset.
  package let classCounts: [Int]
  package let studentTaps: [String]
  package let teacherTaps: [String]

  package init(
    stepsPerEpoch: Int, classCounts: [Int], studentTaps: [String], teacherTaps: [String]
  ) {
    self.stepsPerEpoch = stepsPerEpoch
    self.classCounts = classCounts
    self.studentTaps = studentTaps
    self.teacherTaps = teacherTaps
  }
}
