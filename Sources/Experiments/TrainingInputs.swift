package import Datasets
package import Distillation
package import Networks
import TeacherCache

/// A network with the normalisation that its weights expect.
package struct LoadedNetwork {
  package let network: Classifier
  package let normalization: Normalization
  /// What turns the cosines of a normalised classifier into logits, as in its training; 1 for others.
  package let logitScale: Float
  package let weightHash: String

  static let logitScaleKey = "logit_scale"

  /// A weight file's network.
  ///
  /// - Parameters:
  ///   - architecture: in place of the file's metadata.
  ///   - mean: in place of the file's metadata.
  ///   - std: in place of the file's metadata.
  ///   - info: the data set; gives the number of classes, and the normalisation where neither the
  ///     call nor the file does.
  package init(
    weights path: String, architecture: String? = nil, mean: [Float]? = nil, std: [Float]? = nil,
    info: DatasetInfo
  ) throws {
    let file = try SafeTensors.read(path)
    guard let name = architecture ?? file.metadata["architecture"] else {
      throw SettingError(
        .usage,
        "\(path) does not say its architecture; name it (--arch for teacher-dump, "
          + "--teacher-arch or --student for student-train)")
    }
    if let dataset = file.metadata["dataset"], canonicalDataset(dataset) != info.name.rawValue {
      throw NetworkError(
        .mismatch,
        "\(path) was trained on \(dataset), the data set here is "
          + "\(info.name.rawValue); give a network of this data set")
    }
    if architecture == nil, (try? Architecture.canonical(name)) == nil {
      throw NetworkError(
        .mismatch,
        "\(path) says that it is a \"\(name)\", which is no network known here; if that is wrong, "
          + "name the right one (--arch for teacher-dump, --teacher-arch for student-train)")
    }
    network = try Architecture.make(name, classes: info.classes)
    try network.load(file, path: path)
    let (fileMean, fileStd) = try file.normalization(path)
    normalization = try Normalization(
      mean: mean ?? fileMean ?? info.mean, std: std ?? fileStd ?? info.std)
    let scale = network.givesCosines ? file.metadata[Self.logitScaleKey].flatMap(Float.init) : nil
    logitScale = scale.flatMap { $0.isFinite && $0 > 0 ? $0 : nil } ?? 1
    weightHash = network.weightHash
  }
}

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
  package let cacheID: String?
  /// Whose outputs the cache holds; nil without one.
  var cacheIdentity: CacheIdentity?
  /// What a cache that is only read holds.
  var cacheInfo: CacheInfo?
  /// All images of the cache, where those are what is trained on and not the whole training set.
  var cachedImages: [Int]?
  /// By label; nil where the data set's folder has no names.
  var classNames: [String]?
}

extension Classifier {
  /// Fails for a network that gives cosines: at every temperature they are nearly flat.
  func requireLogits(_ path: String) throws(NetworkError) {
    guard !givesCosines else {
      throw NetworkError(
        .mismatch,
        "\(path): \(architecture) gives cosines between −1 and 1, which LDAM scales while it trains, "
          + "and no logits; give a teacher without a normalised classifier, such as resnet32_s")
    }
  }
}

extension TrainingInputs {
  /// The student: given weights, or initial ones from the seed.
  static func makeStudent(
    _ resolved: ResolvedSettings, initial path: String?, info: DatasetInfo
  ) throws -> (network: Classifier, normalization: Normalization, identity: String) {
    let settings = resolved.settings
    let network = try Architecture.make(settings.student, classes: info.classes)
    // Flag or --set, then the file's metadata, then the recipe, then the method's recipe.
    let explicitMean = resolved.explicit.contains("mean") ? settings.mean : nil
    let explicitStd = resolved.explicit.contains("std") ? settings.std : nil
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

extension SafeTensors {
  /// The normalisation that the file's metadata names.
  ///
  /// - Throws: `NetworkError` of a damaged file for values that are none.
  fileprivate func normalization(_ path: String) throws -> (mean: [Float]?, std: [Float]?) {
    do {
      return (
        try metadata["mean"].map { try channelValues("\(path): mean", $0, positive: false) },
        try metadata["std"].map { try channelValues("\(path): std", $0, positive: true) }
      )
    } catch let error as SettingError {
      throw NetworkError(.mismatch, error.description)
    }
  }
}
