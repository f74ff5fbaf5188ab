import Distillation
import Networks
import Testing

/// Whole runs of stage-by-stage distillation and of the long-tail baselines on 64 real images,
/// against PyTorch in float64 (tools/reference/stage_trajectory.py): losses to 1e-6 relative on the
/// first two steps and to 1e-3 on every step, the way that weights and running statistics went to
/// 1e-3, counters of batches exactly, and parts that are not trained keep every bit.
@Suite(
  .enabled(
    if: Trajectory.isAvailable, "needs ../shared/weights and CIFAR-100 under CIFAR_ROOT"))
struct StageTrajectoryTests {
  @Test(arguments: ["staged", "scaled", "unfrozen", "joint", "adapted"])
  func stagesFollowThoseOfPyTorch(name: String) throws {
    var settings = StageByStageSettings()
    settings.freeze = name != "unfrozen"
    settings.joint = name == "joint"
    settings.norm = name == "scaled" ? FeatureNorm.std : FeatureNorm.none
    settings.stageEpochs = settings.joint ? [8] : [4, 4, 4]
    settings.headEpochs = 4
    settings.headLearningRate = 0.02
    let student =
      try name == "adapted" ? drawn("wrn_16_2", seed: 5) : Trajectory.published("resnet20")
    let plan = try stageByStagePlan(
      studentTaps: student.taps, teacherTaps: ["stage1", "stage2", "stage3"], settings: settings,
      learningRate: ["joint", "adapted"].contains(name) ? 0.001 : 0.01, decay: 0.1,
      stepsPerEpoch: 1, epochs: settings.joint ? 12 : 16)
    // The seed draws the adapters.
    let trainer = try Trajectory.trainer(
      of: student, plan, seed: 5, featureNorm: settings.norm)
    try follow(trainer, Trajectory.reference("stage-trajectory")["stages"][name])
  }

  @Test(arguments: ["ldam", "focal", "la", "ce"])
  func longTailBaselinesFollowThoseOfPyTorch(name: String) throws {
    let counts = try Trajectory.classCounts()
    let methods: [String: any DistillationMethod] = [
      "ldam": LDAMMethod(.init(reweightFromEpoch: 3), classCounts: counts),
      "focal": FocalMethod(.init(gamma: 1.5, beta: 0.999), classCounts: counts),
      "la": LogitAdjustmentMethod(.init(tau: 1.5), classCounts: counts),
      "ce": CrossEntropyMethod(.init(beta: 0.9999, reweightFromEpoch: 3), classCounts: counts),
    ]
    let isNormed = name == "ldam"
    let student =
      try isNormed ? drawn("resnet20_s_normed", seed: 3) : Trajectory.published("resnet20")
    let plan = TrainingPlan.whole(
      try #require(methods[name]), parts: student.partCount,
      schedule: .multistep(
        base: isNormed ? 0.0001 : 0.001, decay: 0.1, milestones: [4], warmupEpochs: 2),
      stepsPerEpoch: 1, epochs: 7)
    let trainer = try Trajectory.trainer(
      of: student, plan, nesterov: name != "focal",
      averageDecay: ["ldam", "focal"].contains(name) ? 0.8 : 0)
    try follow(trainer, Trajectory.reference("stage-trajectory")["long_tail"][name])
  }

  /// A network with the first weights of a seed.
  private func drawn(_ name: String, seed: UInt64) throws -> Classifier {
    let network = try Architecture.make(name, classes: 100)
    network.initialize(seed: seed)
    return network
  }

  /// Runs a trainer to its end.
  private func follow(_ trainer: Trainer, _ reference: GoldenValue) throws {
    let expected = try reference["fp64"].numbers
    let steps = trainer.task.plan.totalSteps
    try #require(steps == expected.count)
    let student = trainer.task.student
    let start = PartState.all(of: student)
    var before = start
    for (step, wanted) in expected.enumerated() {
      trainer.beginEpoch()
      try trainer.trainOneStep()
      let found = trainer.totals.loss
      let bound = step < 2 ? 1e-6 : 1e-3
      #expect(abs(found - wanted) <= bound * abs(wanted), "step \(step + 1)")
      let after = PartState.all(of: student)
      let trained = trainer.phase.trained
      for part in after.indices where !trained.contains(part) {
        let isSame = after[part] == before[part]
        #expect(isSame, "step \(step + 1) changes part \(part)")
      }
      before = after
    }
    try compare(before, with: start, reference["moved"])
    if let average = trainer.average {
      try compare(PartState.all(of: average.network), with: start, reference["averaged"])
    }
  }

  private func compare(
    _ end: [PartState], with start: [PartState], _ reference: GoldenValue
  ) throws {
    let weights = try reference["weights"].numbers
    let statistics = try reference["statistics"].numbers
    let batches = try reference["batches"].integers
    try #require(weights.count == end.count && statistics.count == end.count)
    try #require(batches.count == end.count)
    for part in end.indices {
      let moved = distance(end[part].weights, start[part].weights)
      #expect(abs(moved - weights[part]) <= 1e-3 * weights[part], "weights of part \(part)")
      let drifted = distance(end[part].statistics, start[part].statistics)
      #expect(
        abs(drifted - statistics[part]) <= 1e-3 * statistics[part], "statistics of part \(part)")
      let counted = zip(end[part].batches, start[part].batches).map { Int($0 - $1) }
      #expect(counted.allSatisfy { $0 == batches[part] }, "batches of part \(part)")
    }
  }

  private func distance(_ a: [Float], _ b: [Float]) -> Double {
    var sum = 0.0
    for (x, y) in zip(a, b) { sum += (Double(x) - Double(y)) * (Double(x) - Double(y)) }
    return sum.squareRoot()
  }
}

/// Every number that a part of a network keeps.
private struct PartState: Equatable {
  let weights: [Float]
  let statistics: [Float]
  let batches: [Float]

  private init(of layer: any Layer) {
    weights = layer.parameters.flatMap { $0.stateValues() }
    statistics = layer.buffers.filter { !$0.isInteger }.flatMap { $0.values }
    batches = layer.buffers.filter { $0.isInteger }.flatMap { $0.values }
  }

  /// The stages, then the head.
  static func all(of network: Classifier) -> [PartState] {
    (network.stages.map(\.layer) + [network.head]).map { PartState(of: $0) }
  }
}
