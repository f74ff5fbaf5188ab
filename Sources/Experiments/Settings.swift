package import Datasets
package import Distillation
import Networks

/// How the learning rate falls.
package enum ScheduleName: String, CaseIterable, Sendable {
  case multistep, cosine
}

/// Every hyper-parameter of a run, resolved: what config.yaml holds and what a run is compared by.
package struct Settings: Equatable, Sendable {
  package var method: MethodName
  package var student: String
  package var dataset: DatasetName
  package var subset = Subset.all
  package var epochs: Int
  package var batchSize: Int
  package var learningRate: Double  // per step, at the given batch size
  package var learningRateDecay: Double  // factor at each milestone
  package var milestones: [Int]  // epochs from 1; the rate drops behind them
  package var warmupEpochs: Int
  package var scheduleName = ScheduleName.multistep
  package var minimumLearningRate = 0.0  // where the cosine ends
  package var momentum: Double
  package var nesterov = false
  package var weightDecay: Double  // coupled, on every parameter
  package var temperature: Double
  package var labelSmoothing = 0.0  // of every cross-entropy term
  package var averageDecay = 0.0  // of the moving average of the weights; 0 for none
  /// Part of each class's training images that is set aside to choose the best epoch on; 0 for
  /// none, the best epoch is then chosen on the test set.
  package var validationFraction = 0.0
  package var evalEvery = 1  // epochs
  package var seed: UInt64 = 0
  /// The views of a live teacher; nil for as many rounds as there are epochs.
  package var views: ViewSet?
  package var viewSeed: UInt64 = 0
  package var plainViews = false  // --augment none
  package var mean: [Float]?
  package var std: [Float]?
  package var ce = CrossEntropyMethod.Settings()
  package var kd = KDMethod.Settings()
  package var dkd = DKDMethod.Settings()
  package var bkd = BKDMethod.Settings()
  package var sskd = StageByStageSettings()
  /// Rounds of weak views that SSKD compares features on; nil for all there are.
  package var featureRounds: Int?
  package var crld = CrossViewWeights()
  package var focal = FocalMethod.Settings()
  package var ldam = LDAMMethod.Settings()
  package var la = LogitAdjustmentMethod.Settings()

  /// The published recipe of a method: BKD's own (methods' `train_student.py`) for it and the
  /// long-tail baselines that its code has, mdistiller's for every other.
  package init(method: MethodName, student: String, dataset: DatasetName) {
    self.method = method
    self.student = student
    self.dataset = dataset
    momentum = 0.9
    if method.usesLongTailRecipe {
      (epochs, batchSize, learningRate, learningRateDecay) = (200, 128, 0.1, 0.01)
      (milestones, warmupEpochs, weightDecay, temperature) = ([160, 180], 5, 2e-4, 2)
      bkd.reweightFromEpoch = dataset == .cifar10 ? 160 : 0
    } else {
      let isLight = Architecture.isLight(student)
      (epochs, batchSize, learningRate, learningRateDecay) = (240, 64, isLight ? 0.01 : 0.05, 0.1)
      (milestones, warmupEpochs, weightDecay, temperature) = ([150, 180, 210], 0, 5e-4, 4)
    }
  }

  package var schedule: LearningRateSchedule {
    switch scheduleName {
    case .multistep:
      .multistep(
        base: learningRate, decay: learningRateDecay, milestones: milestones,
        warmupEpochs: warmupEpochs)
    case .cosine:
      .cosine(
        base: learningRate, minimum: minimumLearningRate, epochs: epochs,
        warmupEpochs: warmupEpochs)
    }
  }

  /// The normalisation constants that the method's recipe brings along.
  package var recipeNormalization: (mean: [Float], std: [Float]) {
    // Both CIFAR sets use the constants of CIFAR-10 in BKD's code.
    let info =
      method.usesLongTailRecipe && dataset == .cifar100 ? DatasetName.cifar10.info : dataset.info
    return (info.mean, info.std)
  }

  /// What of the settings has no effect in the run, mostly since it is too short; one sentence each.
  package var unreachedEpochs: [String] {
    (method.ownDrops == nil ? unreachedBySchedule : []) + method.unreachedEpochs(self)
  }

  private var unreachedBySchedule: [String] {
    var notes = milestones.filter { $0 >= epochs }.map {
      "milestone \($0) lies beyond the last epoch (\(epochs)): the learning rate never drops there"
    }
    if warmupEpochs == 1 {
      notes.append("a warm-up of one epoch is none: it has the full rate already; use 2 or more")
    }
    if warmupEpochs >= epochs {
      notes.append("the warm-up of \(warmupEpochs) epochs is not over in \(epochs)")
    }
    return notes
  }
}
