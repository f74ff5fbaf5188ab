package import Distillation

/// The registry of methods: the one place that knows them by name.
package enum MethodName: String, CaseIterable, Sendable {
  case ce, kd, dkd, bkd, sskd, crld, focal, ldam, la

  /// The loss on logits; nil where the stages' features are compared.
  private var loss: (any DistillationMethod.Type)? {
    switch self {
    case .ce: CrossEntropyMethod.self
    case .kd: KDMethod.self
    case .dkd: DKDMethod.self
    case .bkd: BKDMethod.self
    case .sskd: nil
    case .crld: CRLDMethod.self
    case .focal: FocalMethod.self
    case .ldam: LDAMMethod.self
    case .la: LogitAdjustmentMethod.self
    }
  }

  /// The kinds of random views that the method trains on.
  package var views: [TrainingView] { loss?.views ?? [.weak] }

  /// Whether a teacher's logits are compared.
  package var needsTeacherLogits: Bool { loss?.needsTeacher ?? false }

  /// Whether a teacher's features are compared.
  package var needsTeacherFeatures: Bool { loss == nil }

  package var needsTeacher: Bool { needsTeacherLogits || needsTeacherFeatures }

  /// Whether the method is made for long-tailed data, and starts from the recipe of BKD's code.
  package var usesLongTailRecipe: Bool { [.bkd, .focal, .ldam, .la].contains(self) }

  /// Whether the student has to give cosines in place of logits.
  package var needsCosines: Bool { self == .ldam }

  /// What to say in place of milestones and a schedule, where the learning rate starts anew in each
  /// part of the run; nil where it follows the epochs of the whole.
  package var ownDrops: String? {
    self == .sskd
      ? "the rate drops inside each of its parts; use --set sskd.drops=0.6,0.85" : nil
  }

  /// The settings of another method that this one takes over.
  package var borrowing: BorrowedSettings? {
    guard self == .crld else { return nil }
    return BorrowedSettings(keys: ["dkd.alpha", "dkd.beta"], switchKey: "crld.base", value: "dkd")
  }

  /// What of the method's settings has no effect in a run of so many epochs, one sentence each.
  package func unreachedEpochs(_ settings: Settings) -> [String] {
    let epochs = settings.epochs
    switch self {
    case .ce where settings.ce.beta == 0 && settings.ce.reweightFromEpoch > 0:
      return ["ce.reweight_from_epoch has no effect without ce.beta"]
    case .ce where settings.ce.beta > 0:
      return missedReweighting(settings.ce.reweightFromEpoch, of: epochs, leaving: "plain CE")
    case .bkd:
      return missedReweighting(
        settings.bkd.reweightFromEpoch, of: epochs, leaving: "plain CE + KD")
    case .ldam:
      return missedReweighting(
        settings.ldam.reweightFromEpoch, of: epochs, leaving: "LDAM without re-weighting")
    case .dkd where settings.dkd.warmup > epochs:
      return ["DKD's warm-up of \(settings.dkd.warmup) epochs is not over in \(epochs)"]
    default: return []
    }
  }

  /// What classes without training images do to the method; nil where nothing is to be said.
  package func note(absentClasses: Int, _ settings: Settings) -> String? {
    guard self == .bkd, absentClasses > 0, settings.bkd.beta > 0 else { return nil }
    return "\(absentClasses) of the classes have no training image: bkd's target gives them the "
      + "weight of a class of one image, the largest; with bkd.beta=0 all classes weigh the same"
  }

  /// What a run is that ends before its classes are re-weighted; empty where it does not.
  private func missedReweighting(_ start: Int, of epochs: Int, leaving rest: String) -> [String] {
    guard start >= epochs else { return [] }
    return [
      "re-weighting starts at epoch \(start) of \(epochs): this run is \(rest); set "
        + "\(rawValue).reweight_from_epoch lower"
    ]
  }

  /// The training program of a run.
  package func plan(_ settings: Settings, for run: RunShape) throws(PlanError) -> TrainingPlan {
    guard !needsCosines || run.studentGivesCosines else {
      throw PlanError(
        .settings,
        "\(rawValue) compares cosines, which \(settings.student) does not give; choose a student "
          + "with a normalised classifier, such as resnet32_s_normed",
        about: ["method", "student"])
    }
    guard needsCosines || !run.studentGivesCosines else {
      throw PlanError(
        .settings,
        "\(settings.student) gives cosines, which only ldam scales into logits; choose a student "
          + "without a normalised classifier for \(rawValue), such as resnet32_s",
        about: ["method", "student"])
    }
    let smoothing = settings.labelSmoothing
    let temperature = settings.temperature
    let counts = run.classCounts
    let method: any DistillationMethod
    switch self {
    case .ce:
      method = CrossEntropyMethod(settings.ce, classCounts: counts, labelSmoothing: smoothing)
    case .kd:
      method = KDMethod(settings.kd, temperature: temperature, labelSmoothing: smoothing)
    case .dkd:
      method = DKDMethod(settings.dkd, temperature: temperature, labelSmoothing: smoothing)
    case .bkd:
      method = BKDMethod(
        settings.bkd, classCounts: counts, temperature: temperature, labelSmoothing: smoothing)
    case .crld:
      var weights = settings.crld
      (weights.alpha, weights.beta) = (settings.dkd.alpha, settings.dkd.beta)
      method = CRLDMethod(weights, temperature: temperature, labelSmoothing: smoothing)
    case .focal:
      method = FocalMethod(settings.focal, classCounts: counts, labelSmoothing: smoothing)
    case .ldam:
      method = LDAMMethod(settings.ldam, classCounts: counts, labelSmoothing: smoothing)
    case .la:
      method = LogitAdjustmentMethod(settings.la, classCounts: counts, labelSmoothing: smoothing)
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

/// Settings of another method that count where a setting of the method itself has a certain value.
package struct BorrowedSettings: Sendable {
  package let keys: Set<String>
  package let switchKey: String
  package let value: String
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
