import Tensors

/// The learning rate of each optimiser step.
package enum LearningRateSchedule: Equatable, Sendable {
  /// base · decay^(milestones m with epoch > m), epoch counted from 1 (so milestone 150 acts from
  /// epoch 151); during the warm-up base · epoch / warmupEpochs. mdistiller `engine/utils.py`,
  /// BKD `train_student.py`.
  case multistep(base: Double, decay: Double, milestones: [Int], warmupEpochs: Int)
  /// minimum + (base − minimum)·((1 + cos(π·e/E))/2) with e the epochs since the warm-up (from 0) and E
  /// the epochs behind it: PyTorch's `CosineAnnealingLR` with T_max = E, stepped once an epoch, so the
  /// first epoch after the warm-up has the base rate and the last one lies above the minimum. The
  /// warm-up is that of `multistep`.
  case cosine(base: Double, minimum: Double, epochs: Int, warmupEpochs: Int)
  /// base · decay^(drops d with step ≥ d), steps counted from the start of a phase.
  case drops(base: Double, decay: Double, atSteps: [Int])

  /// - Parameters:
  ///   - epoch: from 0.
  ///   - step: optimiser steps since the phase began.
  package func rate(epoch: Int, step: Int) -> Double {
    switch self {
    case .multistep(let base, let decay, let milestones, let warmupEpochs):
      if epoch < warmupEpochs { return warmUp(to: base, epoch, of: warmupEpochs) }
      return base * power(decay, milestones.count { epoch + 1 > $0 })
    case .cosine(let base, let minimum, let epochs, let warmupEpochs):
      if epoch < warmupEpochs { return warmUp(to: base, epoch, of: warmupEpochs) }
      // Half a turn takes the whole rest of the run.
      let turns = Double(epoch - warmupEpochs) / Double(2 * (epochs - warmupEpochs))
      let share: Double = (1 + Tensors.cosine(turns: turns)) / 2
      return minimum + (base - minimum) * share
    case .drops(let base, let decay, let atSteps):
      return base * power(decay, atSteps.count { step >= $0 })
    }
  }

  private func warmUp(to base: Double, _ epoch: Int, of epochs: Int) -> Double {
    base * Double(epoch + 1) / Double(epochs)
  }
}
