package import Datasets
package import Distillation

/// Every hyper-parameter of a run, resolved: what config.yaml holds and what a run is compared by.
package struct Settings: Equatable, Sendable {
  package struct Hinton: Equatable, Sendable {
    package var ceWeight = 0.1
    package var kdWeight = 0.9
  }
  package struct Decoupled: Equatable, Sendable {
    package var ceWeight = 1.0
    package var alpha = 1.0
    package var beta = 8.0
    package var warmup = 20  // epochs
  }
  package struct Balanced: Equatable, Sendable {
    package var alpha = 1.0
    package var beta = 0.9999
    package var reweightFromEpoch = 0
  }

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
  package var momentum: Double
  package var weightDecay: Double  // coupled, on every parameter
  package var temperature: Double
  package var evalEvery = 1  // epochs
  package var seed: UInt64 = 0
  /// The views of a live teacher; nil for as many rounds as there are epochs.
  package var views: ViewSet?
  package var viewSeed: UInt64 = 0
  package var plainViews = false  // --augment none
  package var mean: [Float]?
  package var std: [Float]?
  package var kd = Hinton()
  package var dkd = Decoupled()
  package var bkd = Balanced()
  package var sskd = StageByStageSettings()
  /// Rounds of weak views that SSKD compares features on; nil for all there are.
  package var featureRounds: Int?
  package var crld = CrossViewWeights()

  /// The published recipe of a method: BKD's own (methods' `train_student.py`), mdistiller's for
  /// every other.
  package init(method: MethodName, student: String, dataset: DatasetName) {
    self.method = method
    self.student = student
    self.dataset = dataset
    momentum = 0.9
    if method == .bkd {
      (epochs, batchSize, learningRate, learningRateDecay) = (200, 128, 0.1, 0.01)
      (milestones, warmupEpochs, weightDecay, temperature) = ([160, 180], 5, 2e-4, 2)
      bkd.reweightFromEpoch = dataset == .cifar10 ? 160 : 0
    } else {
      let light = ["mobilenetv2", "shufflev1", "shufflev2"].contains(student.lowercased())
      (epochs, batchSize, learningRate, learningRateDecay) = (240, 64, light ? 0.01 : 0.05, 0.1)
      (milestones, warmupEpochs, weightDecay, temperature) = ([150, 180, 210], 0, 5e-4, 4)
    }
  }

  package var schedule: LearningRateSchedule {
    .multistep(
      base: learningRate, decay: learningRateDecay, milestones: milestones,
      warmupEpochs: warmupEpochs)
  }

  /// The normalisation constants that the method's recipe brings along.
  package var recipeNormalization: (mean: [Float], std: [Float]) {
    // Both CIFAR sets use the constants of CIFAR-10 in BKD's code.
    let info = method == .bkd && dataset == .cifar100 ? DatasetName.cifar10.info : dataset.info
    return (info.mean, info.std)
  }

  /// What the run is too short to reach, one sentence each.
  package var unreachedEpochs: [String] {
    guard method != .sskd else { return [] }
    var notes = milestones.filter { $0 >= epochs }.map {
      "milestone \($0) lies beyond the last epoch (\(epochs)): the learning rate never drops there"
    }
    if warmupEpochs >= epochs {
      notes.append("the warm-up of \(warmupEpochs) epochs is not over in \(epochs)")
    }
    if method == .bkd, bkd.reweightFromEpoch >= epochs {
      notes.append(
        "re-weighting starts at epoch \(bkd.reweightFromEpoch) of \(epochs): this run is plain "
          + "CE + KD; set bkd.reweight_from_epoch lower")
    }
    if method == .dkd, dkd.warmup > epochs {
      notes.append("DKD's warm-up of \(dkd.warmup) epochs is not over in \(epochs)")
    }
    return notes
  }
}
