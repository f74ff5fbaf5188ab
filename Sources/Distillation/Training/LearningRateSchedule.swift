import Tensors

/// The learning rate of each optimiser step.
package enum LearningRateSchedule: Equatable, Sendable {
  /// base · decay^(milestones m with epoch > m), epoch counted from 1 (so milestone 150 acts from
  /// epoch 151); during the warm-up base · epoch / warmupEpochs. mdistiller `engine/utils.py`,
  /// BKD `train_student.py`.
  case multistep(base: Double, decay: Double, milestones: [Int], warmupEpochs: Int)
  /// base · decay^(drops d with step ≥ d), steps counted from the start of a phase.
  case drops(base: Double, decay: Double, atSteps: [Int])

  /// - Parameters:
  ///   - epoch: from 0.
  ///   - step: optimiser steps since the phase began.
  package func rate(epoch: Int, step: Int) -> Double {
    switch self {
    case .multistep(let base, let decay, let milestones, let warmupEpochs):
      if epoch < warmupEpochs { return base * Double(epoch + 1) / Double(warmupEpochs) }
      return base * power(decay, milestones.count { epoch + 1 > $0 })
    case .drops(let base, let decay, let atSteps):
      return base * power(decay, atSteps.count { step >= $0 })
    }
  }
}
