/// A student's tap and the teacher's tap that it imitates.
package struct FeaturePair: Equatable, Sendable {
  package let studentStage: Int  // from 0
  package let teacherTap: String

  package init(studentStage: Int, teacherTap: String) {
    self.studentStage = studentStage
    self.teacherTap = teacherTap
  }
}

/// What a phase minimises.
package enum Objective: Sendable {
  /// A loss on the logits.
  case logits(any DistillationMethod)
  /// The sum of the mean squared errors between paired taps; the network is run no further than
  /// the last of them.
  case features([FeaturePair])
}

/// A stretch of optimiser steps with one objective, one set of trained parts and one schedule.
package struct TrainingPhase: Sendable {
  package let name: String
  /// Steps of the whole run, from 0.
  package let steps: Range<Int>
  /// Parts of the classifier (stages, then the head) that are trained; all others run in
  /// inference mode and do not change.
  package let trained: Range<Int>
  package let objective: Objective
  package let schedule: LearningRateSchedule

  /// Whether the phase trains logits, so that accuracies mean something.
  package var trainsLogits: Bool {
    if case .logits = objective { return true }
    return false
  }
}

/// The phases of a run, one after the other, from step 0 on.
package struct TrainingPlan: Sendable {
  package let phases: [TrainingPhase]
  package let stepsPerEpoch: Int
  package let epochs: Int

  package var totalSteps: Int { epochs * stepsPerEpoch }

  package init(phases: [TrainingPhase], stepsPerEpoch: Int, epochs: Int) {
    precondition(phases.first?.steps.lowerBound == 0, "the first phase starts at step 0")
    precondition(phases.last?.steps.upperBound == epochs * stepsPerEpoch, "phases end with the run")
    for (a, b) in zip(phases, phases.dropFirst()) {
      precondition(a.steps.upperBound == b.steps.lowerBound, "phases follow each other")
    }
    self.phases = phases
    self.stepsPerEpoch = stepsPerEpoch
    self.epochs = epochs
  }

  /// The place in ``phases`` of the one that step `step`, from 0, belongs to.
  package func phaseIndex(at step: Int) -> Int {
    phases.firstIndex { $0.steps.contains(step) } ?? phases.count - 1
  }

  /// The loss terms that occur, in order, each once.
  package var termNames: [String] {
    var names: [String] = []
    for phase in phases {
      let added: [String]
      switch phase.objective {
      case .logits(let method): added = method.termNames
      case .features: added = ["mse"]
      }
      for name in added where !names.contains(name) { names.append(name) }
    }
    return names
  }

  /// One phase over the whole network.
  package static func whole(
    _ method: any DistillationMethod, parts: Int, schedule: LearningRateSchedule,
    stepsPerEpoch: Int, epochs: Int
  ) -> TrainingPlan {
    TrainingPlan(
      phases: [
        TrainingPhase(
          name: "all", steps: 0..<(epochs * stepsPerEpoch), trained: 0..<parts,
          objective: .logits(method), schedule: schedule)
      ], stepsPerEpoch: stepsPerEpoch, epochs: epochs)
  }
}
