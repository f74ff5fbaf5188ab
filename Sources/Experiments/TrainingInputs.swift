package import Datasets
package import Distillation
package import Networks
import TeacherCache

/// What a run is made of, opened and checked: images, student and teacher.
package struct TrainingInputs {
  package let data: ImageDataset
  /// Original ids of the images that are trained on, rising.
  package let images: [Int]
  /// Original ids of the images set aside to choose the best epoch on, rising; empty for none.
  package let validation: [Int]
  /// Images of each class among those that are trained on.
  package let classCounts: [Int]
  /// With the held-out images: what makes a class one of many, medium or few.
  package var subsetCounts: [Int] {
    validation.reduce(into: classCounts) { $0[data.train.labels[$1]] += 1 }
  }
  package let student: Classifier
  package let normalization: Normalization
  /// What turns the student's answers into logits; 1 but for a normalised classifier.
  package let logitScale: Float
  package let teacher: (any TeacherSource)?
  /// The views that logits and features are compared on.
  package let views: ViewSet
  package let featureViews: ViewSet
  package let viewSeed: UInt64
  /// Whose outputs the cache holds; nil without one.
  var cacheIdentity: CacheIdentity?
  /// What a cache that is only read holds.
  var cacheInfo: CacheInfo?
  /// All images of the cache, where those are what is trained on and not the whole training set.
  var cachedImages: [Int]?
  /// By label; nil where the data set's folder has no names.
  var classNames: [String]?
}

extension TrainingInputs {
  /// The student: given weights, or initial ones from the seed.
  static func makeStudent(
    _ resolved: ResolvedSettings, initial path: String?, info: DatasetInfo
  ) throws -> (network: Classifier, normalization: Normalization, identity: String) {
    let settings = resolved.settings
    let network = try Architecture.make(settings.student, classes: info.classes)
    // Flag or --set, then the file's metadata, then the recipe, then the method's recipe.
    let explicitMean = resolved.origins.explicit.contains("mean") ? settings.mean : nil
    let explicitStd = resolved.origins.explicit.contains("std") ? settings.std : nil
    var mean = settings.mean ?? settings.recipeNormalization.mean
    var std = settings.std ?? settings.recipeNormalization.std
    var identity = "seed"
    if let path {
      let file = try SafeTensors.read(path)
      try network.load(file, path: path)
      identity = network.weightHash
      // The config.yaml of a run from these weights has weighed the file's normalisation already.
      let repeats = resolved.recipeInputs["initial_weights"] == identity
      if !repeats {
        let its = try file.normalization(path)
        mean = its.mean ?? mean
        std = its.std ?? std
      }
    } else {
      network.initialize(seed: settings.seed)
    }
    let normalization = try Normalization(mean: explicitMean ?? mean, std: explicitStd ?? std)
    return (network, normalization, identity)
  }
}
