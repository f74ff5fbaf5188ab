/// How SSKD's teacher features are scaled before they are compared.
package enum FeatureNorm: String, CaseIterable, Sendable {
  case none
  /// Divide both sides by the teacher's per-channel standard deviation.
  case std
}

/// Names of a student's tap and of the teacher's tap that it imitates.
package struct TapPair: Equatable, Sendable {
  package let student: String
  package let teacher: String

  package init(student: String, teacher: String) {
    self.student = student
    self.teacher = teacher
  }
}

/// The settings of stage-by-stage distillation.
package struct StageByStageSettings: Equatable, Sendable {
  /// Earlier stages keep their weights and run in inference mode; false fine-tunes them too.
  package var freeze = true
  /// All stages at once in place of one after the other: the ablation.
  package var joint = false
  package var norm = FeatureNorm.none
  /// Epochs of each stage, in place of equal parts of 81 % of the run; empty for that default.
  package var stageEpochs: [Double] = []
  /// Epochs of the head, in place of what the stages leave.
  package var headEpochs: Double?
  /// The head's learning rate, in place of the stages': a mean squared error wants a larger one than
  /// cross entropy.
  package var headLearningRate: Double?
  /// Pairs of student and teacher taps, in place of stage i with stage i; empty for that default.
  package var stages: [TapPair] = []
  /// Where inside a part the learning rate drops.
  package var drops: [Double] = [0.6, 0.85]
  /// Of the labels that the head learns from.
  package var labelSmoothing = 0.0

  package init() {}
}

/// Stage-by-stage knowledge distillation (arXiv 1812.01819, "An Embarrassingly Simple Approach for
/// Knowledge Distillation"; not the self-supervision method of 2020 that shares its initials).
///
/// Stage after stage imitates the teacher's feature map at the same tap with the earlier stages
/// frozen in inference mode, without any task loss; then the head alone learns with cross entropy.
package func stageByStagePlan(
  studentTaps: [String], teacherTaps: [String], settings: StageByStageSettings,
  learningRate: Double, decay: Double, stepsPerEpoch: Int, epochs: Int
) throws(PlanError) -> TrainingPlan {
  let pairs = try pairTaps(student: studentTaps, teacher: teacherTaps, by: settings.stages)
  let stages = settings.joint ? 1 : pairs.count
  let total = epochs * stepsPerEpoch
  let ends = try partEnds(
    stages: stages, settings: settings, total: total, stepsPerEpoch: stepsPerEpoch)
  func schedule(_ steps: Range<Int>, _ rate: Double) -> LearningRateSchedule {
    .drops(
      base: rate, decay: decay,
      atSteps: settings.drops.map { Int((Double(steps.count) * $0).rounded()) })
  }
  var phases: [TrainingPhase] = []
  var start = 0
  for (i, end) in ends.dropLast().enumerated() {
    let imitated = settings.joint ? pairs : [pairs[i]]
    let last = imitated.map(\.studentStage).max() ?? 0
    // The stages that this part owns: from behind the previous tap up to its own.
    let first = settings.joint || !settings.freeze || i == 0 ? 0 : pairs[i - 1].studentStage + 1
    phases.append(
      TrainingPhase(
        name: settings.joint ? "stages" : studentTaps[last], steps: start..<end,
        trained: first..<(last + 1), objective: .features(imitated),
        schedule: schedule(start..<end, learningRate)))
    start = end
  }
  // Stages behind the last pair imitate nothing and are learnt together with the head; no task loss
  // ever reaches the others, frozen or not.
  let backbone = (pairs.last?.studentStage ?? -1) + 1
  phases.append(
    TrainingPhase(
      name: "head", steps: start..<total,
      trained: backbone..<(studentTaps.count + 1),
      objective: .logits(CrossEntropyMethod(labelSmoothing: settings.labelSmoothing)),
      schedule: schedule(start..<total, settings.headLearningRate ?? learningRate)))
  return TrainingPlan(phases: phases, stepsPerEpoch: stepsPerEpoch, epochs: epochs)
}

private func pairTaps(
  student: [String], teacher: [String], by chosen: [TapPair]
) throws(PlanError) -> [FeaturePair] {
  let lists =
    "student: \(student.joined(separator: ", ")); teacher: "
    + teacher.joined(separator: ", ")
  guard !chosen.isEmpty else {
    guard student.count == teacher.count else {
      throw PlanError(
        .mismatch,
        "the student has \(student.count) stages and the teacher \(teacher.count) (\(lists)); "
          + "pair them by hand with --set sskd.stages=STUDENT:TEACHER,…")
    }
    return zip(student.indices, teacher).map { FeaturePair(studentStage: $0, teacherTap: $1) }
  }
  var pairs: [FeaturePair] = []
  for pair in chosen {
    guard let stage = student.firstIndex(of: pair.student), teacher.contains(pair.teacher) else {
      throw PlanError(
        .mismatch,
        "sskd.stages names \(pair.student):\(pair.teacher), but there are only \(lists)")
    }
    if let previous = pairs.last, previous.studentStage >= stage {
      throw PlanError(
        .settings, "sskd.stages must name the student's taps in order, each once",
        about: ["sskd.stages"])
    }
    pairs.append(FeaturePair(studentStage: stage, teacherTap: pair.teacher))
  }
  return pairs
}

/// The settings that make a run as long as it is, and those that give it its parts.
private let lengthKeys = ["epochs", "batch_size", "subset", "val_fraction"]
private let partKeys = ["student", "sskd.stages", "sskd.joint"]

/// The step behind each part: the stages, then the head; at least one step each.
private func partEnds(
  stages: Int, settings: StageByStageSettings, total: Int, stepsPerEpoch: Int
) throws(PlanError) -> [Int] {
  guard total > stages else {
    throw PlanError(
      .settings,
      "\(total) \(total == 1 ? "step is" : "steps are") too few for \(stages) stages and a head; train "
        + "for more epochs",
      about: lengthKeys + partKeys)
  }
  var lengths: [Int]
  if settings.stageEpochs.isEmpty {
    // 27 % a stage and 19 % head for three stages; 81 % for the stages in general.
    if let head = settings.headEpochs, head * Double(stepsPerEpoch) > Double(total - stages) {
      throw PlanError(
        .settings,
        "sskd.head_epochs \(head) leaves nothing of \(Double(total) / Double(stepsPerEpoch)) epochs "
          + "for \(stages == 1 ? "the stages" : "\(stages) stages"); choose fewer",
        about: ["sskd.head_epochs"] + lengthKeys + partKeys)
    }
    let share = settings.headEpochs.map { 1 - $0 * Double(stepsPerEpoch) / Double(total) } ?? 0.81
    lengths = Array(
      repeating: Int((Double(total) * share / Double(stages)).rounded()),
      count: stages)
  } else {
    guard settings.stageEpochs.count == stages else {
      throw PlanError(
        .settings,
        "sskd.stage_epochs has \(settings.stageEpochs.count) numbers for \(stages) stages",
        about: ["sskd.stage_epochs"] + partKeys)
    }
    lengths = settings.stageEpochs.map { Int(($0 * Double(stepsPerEpoch)).rounded()) }
    if let head = settings.headEpochs {
      let sum = lengths.reduce(0, +) + Int((head * Double(stepsPerEpoch)).rounded())
      guard sum == total else {
        throw PlanError(
          .settings,
          "sskd.stage_epochs and sskd.head_epochs give \(sum) steps, "
            + "but the run has \(total); they must add up to --epochs",
          about: ["sskd.stage_epochs", "sskd.head_epochs"] + lengthKeys)
      }
    }
  }
  var ends: [Int] = []
  var end = 0
  for (i, length) in lengths.enumerated() {
    // Leave a step for each part that is still to come.
    end = min(end + max(length, 1), total - (stages - i))
    ends.append(end)
  }
  if !settings.stageEpochs.isEmpty, ends.last != lengths.reduce(0, +) {
    throw PlanError(
      .settings,
      "sskd.stage_epochs take \(lengths.reduce(0, +)) of \(total) steps; every stage "
        + "and the head need at least one",
      about: ["sskd.stage_epochs"] + lengthKeys)
  }
  return ends + [total]
}
