package import Distillation

/// The registry of methods: the one place that knows them by name.
package enum MethodName: String, CaseIterable, Sendable {
  case ce, kd, dkd, bkd, sskd, crld, focal, ldam, la

  /// The paper or code that the method follows.
  package var reference: String {
    switch self {
    case .ce: "cross entropy"
    case .kd: "arXiv 1503.02531"
    case .dkd: "arXiv 2203.08679"
    case .bkd: "arXiv 2104.10510"
    case .sskd: "arXiv 1812.01819"
    case .crld: "arXiv 2412.16493"
    case .focal: "arXiv 1708.02002"
    case .ldam: "arXiv 1906.07413"
    case .la: "arXiv 2007.07314"
    }
  }

  /// The kinds of random views that the method trains on.
  package var views: [TrainingView] { self == .crld ? [.weak, .strong] : [.weak] }

  /// Whether a teacher's logits are compared.
  package var needsTeacherLogits: Bool { [.kd, .dkd, .bkd, .crld].contains(self) }

  /// Whether a teacher's features are compared.
  package var needsTeacherFeatures: Bool { self == .sskd }

  package var needsTeacher: Bool { needsTeacherLogits || needsTeacherFeatures }

  /// Whether the method is made for long-tailed data, and starts from the recipe of BKD's code.
  package var usesLongTailRecipe: Bool { [.bkd, .focal, .ldam, .la].contains(self) }

  /// Whether the student has to give cosines in place of logits.
  package var needsCosines: Bool { self == .ldam }

  /// The training program of a run.
  package func plan(_ settings: Settings, for run: RunShape) throws(PlanError) -> TrainingPlan {
    guard !needsCosines || run.studentGivesCosines else {
      throw PlanError(
        .settings,
        "\(rawValue) compares cosines, which \(settings.student) does not give; choose a student "
          + "with a normalised classifier, such as resnet32_s_normed")
    }
    guard needsCosines || !run.studentGivesCosines else {
      throw PlanError(
        .settings,
        "\(settings.student) gives cosines, which only ldam scales into logits; choose a student "
          + "without a normalised classifier for \(rawValue), such as resnet32_s")
    }
    let smoothing = settings.labelSmoothing
    let method: any DistillationMethod
    switch self {
    case .ce: method = CrossEntropyMethod(labelSmoothing: smoothing)
    case .kd:
      method = KnowledgeDistillationMethod(
        temperature: settings.temperature, ceWeight: settings.kd.ceWeight,
        kdWeight: settings.kd.kdWeight, labelSmoothing: smoothing)
    case .dkd:
      method = DecoupledMethod(
        temperature: settings.temperature, ceWeight: settings.dkd.ceWeight,
        alpha: settings.dkd.alpha, beta: settings.dkd.beta, warmupEpochs: settings.dkd.warmup,
        labelSmoothing: smoothing)
    case .bkd:
      method = BalancedMethod(
        classCounts: run.classCounts, temperature: settings.temperature,
        alpha: settings.bkd.alpha, beta: settings.bkd.beta,
        reweightFromEpoch: settings.bkd.reweightFromEpoch, labelSmoothing: smoothing)
    case .crld:
      var weights = settings.crld
      (weights.alpha, weights.beta) = (settings.dkd.alpha, settings.dkd.beta)
      method = CrossViewMethod(
        temperature: settings.temperature, weights: weights, labelSmoothing: smoothing)
    case .focal:
      method = FocalMethod(
        classCounts: run.classCounts, gamma: settings.focal.gamma, beta: settings.focal.beta,
        labelSmoothing: smoothing)
    case .ldam:
      method = MarginMethod(
        classCounts: run.classCounts, largestMargin: settings.ldam.maxMargin,
        scale: settings.ldam.scale, beta: settings.ldam.beta,
        reweightFromEpoch: settings.ldam.reweightFromEpoch, labelSmoothing: smoothing)
    case .la:
      method = LogitAdjustmentMethod(
        classCounts: run.classCounts, tau: settings.la.tau, labelSmoothing: smoothing)
    case .sskd:
      var stages = settings.sskd
      stages.labelSmoothing = smoothing
      return try stageByStagePlan(
        studentTaps: run.studentTaps, teacherTaps: run.teacherTaps, settings: stages,
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
  /// Whether the student's classifier is normalised.
  package let studentGivesCosines: Bool

  package init(
    stepsPerEpoch: Int, classCounts: [Int], studentTaps: [String], teacherTaps: [String],
    studentGivesCosines: Bool = false
  ) {
    self.stepsPerEpoch = stepsPerEpoch
    self.classCounts = classCounts
    self.studentTaps = studentTaps
    self.teacherTaps = teacherTaps
    self.studentGivesCosines = studentGivesCosines
  }
}
