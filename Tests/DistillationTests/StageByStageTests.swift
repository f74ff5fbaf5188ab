import Distillation
import Testing

struct StageByStageTests {
  private let taps = ["stage1", "stage2", "stage3"]

  private func plan(
    student: [String]? = nil, teacher: [String]? = nil,
    _ change: (inout StageByStageSettings) -> Void = { _ in }, epochs: Int = 4, steps: Int = 100
  ) throws -> TrainingPlan {
    var settings = StageByStageSettings()
    change(&settings)
    return try stageByStagePlan(
      studentTaps: student ?? taps, teacherTaps: teacher ?? taps, settings: settings,
      learningRate: 0.05, decay: 0.1, stepsPerEpoch: steps, epochs: epochs)
  }

  @Test func stagesTake27PercentEachAndTheHead19() throws {
    let phases = try plan().phases
    #expect(phases.map(\.name) == ["stage1", "stage2", "stage3", "head"])
    #expect(phases.map(\.steps) == [0..<108, 108..<216, 216..<324, 324..<400])
    #expect(phases.map(\.trained) == [0..<1, 1..<2, 2..<3, 3..<4])
    #expect(phases.map(\.trainsLogits) == [false, false, false, true])
    #expect(
      phases[0].schedule == .drops(base: 0.05, decay: 0.1, atSteps: [65, 92]))
  }

  @Test func theHeadMayHaveARateOfItsOwn() throws {
    let phases = try plan({ $0.headLearningRate = 0.01 }).phases
    #expect(phases[2].schedule == .drops(base: 0.05, decay: 0.1, atSteps: [65, 92]))
    #expect(phases[3].schedule == .drops(base: 0.01, decay: 0.1, atSteps: [46, 65]))
  }

  @Test func oneEpochHasAtLeastAStepForEveryPart() throws {
    let phases = try plan(epochs: 1, steps: 4).phases
    #expect(phases.map(\.steps.count) == [1, 1, 1, 1])
  }

  @Test func tooFewStepsAreRefused() {
    #expect(throws: PlanError.self) { try plan(epochs: 1, steps: 3) }
  }

  /// But no cross-entropy reaches them: the head is learnt alone all the same.
  @Test func withoutFreezingTheLaterErrorTrainsEarlierStagesToo() throws {
    let phases = try plan({ $0.freeze = false }).phases
    #expect(phases.map(\.trained) == [0..<1, 0..<2, 0..<3, 3..<4])
  }

  @Test(arguments: [(3.98, false), (3.97, true), (5, false)])
  func aHeadThatLeavesNothingForTheStagesIsRefused(head: Double, fits: Bool) throws {
    if fits {
      let phases = try plan({ $0.headEpochs = head }).phases
      #expect(phases.map(\.steps.count) == [1, 1, 1, 397])
    } else {
      #expect(throws: PlanError.self) { try plan({ $0.headEpochs = head }) }
    }
  }

  @Test func jointTrainingHasOnePhaseForAllStages() throws {
    let phases = try plan({ $0.joint = true }).phases
    #expect(phases.map(\.name) == ["stages", "head"])
    #expect(phases[0].steps == 0..<324)
    #expect(phases[0].trained == 0..<3)
    guard case .features(let pairs) = phases[0].objective else {
      Issue.record("the joint phase compares features")
      return
    }
    #expect(pairs.map(\.teacherTap) == taps)
  }

  @Test func unequalNumbersOfStagesAreRefusedUnlessPairedByHand() throws {
    #expect {
      try plan(teacher: ["stage1", "stage2", "stage3", "stage4"])
    } throws: { error in
      let error = error as? PlanError
      return error?.kind == .mismatch && error?.description.contains("stage4") == true
    }
    let phases = try plan(
      teacher: ["stage1", "stage2", "stage3", "stage4"],
      {
        $0.stages = [
          TapPair(student: "stage1", teacher: "stage2"),
          TapPair(student: "stage3", teacher: "stage4"),
        ]
      }
    ).phases
    #expect(phases.map(\.trained) == [0..<1, 1..<3, 3..<4])
  }

  @Test func givenEpochsMustAddUp() throws {
    let phases = try plan({
      $0.stageEpochs = [1, 0.5, 1]
      $0.headEpochs = 1.5
    }).phases
    #expect(phases.map(\.steps.count) == [100, 50, 100, 150])
    #expect(throws: PlanError.self) {
      try plan({
        $0.stageEpochs = [1, 1, 1]
        $0.headEpochs = 2
      })
    }
    #expect(throws: PlanError.self) { try plan({ $0.stageEpochs = [1, 1] }) }
    #expect(throws: PlanError.self) { try plan({ $0.stageEpochs = [2, 1, 1] }) }
  }
}
