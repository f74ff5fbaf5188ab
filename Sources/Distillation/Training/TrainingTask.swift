package import Datasets
package import Networks

/// What a trainer works on.
package struct TrainingTask {
  package let student: Classifier
  package let plan: TrainingPlan
  /// Needed by every plan whose phases imitate somebody; a cached one proves the views of all others too.
  package let teacher: (any TeacherSource)?
  package let renderer: ViewRenderer
  /// Original ids of the images that are trained on.
  package let images: [Int]
  package let normalization: Normalization
  /// Rounds of the views that logits are compared on.
  package let rounds: RoundSchedule
  /// Rounds of the views that features are compared on.
  package let featureRounds: RoundSchedule
  package let batchSize: Int
  package let momentum: Float
  package let weightDecay: Float
  /// Of the order of images and the initial weights of adapters.
  package let seed: UInt64
  package let featureNorm: FeatureNorm
  /// Nesterov's form of the momentum.
  package let nesterov: Bool
  /// Of the moving average of the weights; 0 for none.
  package let averageDecay: Double

  package init(
    student: Classifier, plan: TrainingPlan, teacher: (any TeacherSource)?, renderer: ViewRenderer,
    images: [Int], normalization: Normalization, rounds: RoundSchedule,
    featureRounds: RoundSchedule, batchSize: Int, momentum: Float, weightDecay: Float,
    seed: UInt64, featureNorm: FeatureNorm = .none, nesterov: Bool = false,
    averageDecay: Double = 0
  ) {
    self.student = student
    self.plan = plan
    self.teacher = teacher
    self.renderer = renderer
    self.images = images
    self.normalization = normalization
    self.rounds = rounds
    self.featureRounds = featureRounds
    self.batchSize = batchSize
    self.momentum = momentum
    self.weightDecay = weightDecay
    self.seed = seed
    self.featureNorm = featureNorm
    self.nesterov = nesterov
    self.averageDecay = averageDecay
  }
}
