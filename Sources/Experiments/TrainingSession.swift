import Crypto
import Datasets
package import Distillation
import Foundation
import Networks
import TeacherCache
package import Tensors

/// Where a student's teacher comes from.
package enum TeacherChoice: Sendable {
  case none
  /// The folder of a cache.
  case cache(String)
  /// A weight file that is run on every batch.
  case live(String, architecture: String?, mean: [Float]?, std: [Float]?)
}

/// A run before its first step: everything opened, checked against each other and resolved.
package struct TrainingSession {
  package let inputs: TrainingInputs
  package let plan: TrainingPlan
  package let configuration: RunConfiguration
  /// What the user should know, one sentence each.
  package let notes: [String]

  /// - Parameters:
  ///   - dataPath: folder with the data set's files.
  ///   - initialWeights: weight file that the student starts from.
  ///   - flags: (key, value) of the settings given as flags.
  ///   - sets: `key=value` texts.
  package init(
    teacher choice: TeacherChoice, dataPath: String, initialWeights: String?,
    flags: [(key: String, value: String)], sets: [String], recipe: Recipe?, execution: Execution
  ) throws {
    var cache: CacheReader?
    if case .cache(let path) = choice { cache = try CacheReader.open(path) }
    let cachedDataset = try cache.map { try DatasetName(parsing: $0.identity.dataset) }
    let resolved = try ResolvedSettings(
      flags: flags, sets: sets, recipe: recipe, dataset: cachedDataset)
    var settings = resolved.settings
    settings.student = try Architecture.canonical(settings.student)
    if cache == nil, settings.method.needsTeacher, case .none = choice {
      throw SettingError(
        .usage,
        "--method \(settings.method.rawValue) learns from a teacher: give --cache DIR, or "
          + "--teacher FILE to run one live")
    }
    for key in ["views", "view_seed"] where cache != nil && resolved.explicit.contains(key) {
      throw SettingError(
        .usage, "\(key) does not go with --cache: the views are the cache's; leave it out")
    }
    let data = try ImageDataset.load(settings.dataset, from: dataPath)
    let student = try TrainingInputs.makeStudent(
      resolved, initial: initialWeights, info: data.info)
    settings.mean = student.normalization.mean
    settings.std = student.normalization.std

    let source = try TeacherViews(
      choice: choice, cache: cache, data: data, settings: &settings, execution: execution)
    let images = source.images
    let labels = images.map { data.train.labels[$0] }
    var classCounts = Array(repeating: 0, count: data.info.classes)
    for label in labels { classCounts[label] += 1 }
    plan = try settings.method.plan(
      settings,
      for: RunShape(
        stepsPerEpoch: (images.count + settings.batchSize - 1) / settings.batchSize,
        classCounts: classCounts, studentTaps: student.network.taps,
        teacherTaps: source.teacherTaps))
    let requirements = CacheRequirements(
      plan: plan, settings: settings, views: source.views, featureViews: source.featureViews)
    if let cache, case .cache(let path) = choice {
      try requirements.check(cache, path: path, images: images, renderer: source.renderer)
    }
    inputs = TrainingInputs(
      data: data, images: images, classCounts: classCounts, student: student.network,
      normalization: student.normalization, teacher: source.teacher, views: source.views,
      featureViews: source.featureViews, viewSeed: source.renderer.seed,
      cacheID: cache?.identity.cacheID)
    configuration = RunConfiguration(
      settings: settings,
      inputs: [
        ("dataset_hash", source.datasetHash), ("image_ids", Self.hash(of: images)),
        source.identity, ("initial_weights", student.identity),
      ])
    notes = settings.unreachedEpochs
  }

  /// SHA-256 of the image ids as decimal lines.
  private static func hash(of images: [Int]) -> String {
    var hash = SHA256()
    for id in images { hash.update(data: Data("\(id)\n".utf8)) }
    return hash.finalize().map { String(format: "%02x", $0) }.joined()
  }
}

/// The teacher of a run, its views, and what checks the images against them.
struct TeacherViews {
  let teacher: (any TeacherSource)?
  let teacherTaps: [String]
  /// Original ids of the images that are trained on: the subset, or all that the cache holds.
  let images: [Int]
  let views: ViewSet
  let featureViews: ViewSet
  let renderer: ViewRenderer
  let datasetHash: String
  let identity: (name: String, value: String)

  init(
    choice: TeacherChoice, cache: CacheReader?, data: ImageDataset, settings: inout Settings,
    execution: Execution
  ) throws {
    datasetHash = data.train.contentHash()
    images = try Self.images(settings.subset, data: data, cache: cache)
    let usesStrong = settings.method.views.contains(.strong)
    if let cache {
      let found = cache.identity
      try Self.require("dataset_hash", found.datasetHash, datasetHash)
      for (kind, version) in data.info.augmentations.sorted(by: { $0.key < $1.key }) {
        try Self.require(
          "augmentation \(kind)", found.augmentations[kind] ?? "absent", version)
      }
      settings.viewSeed = found.viewSeed
      views = cache.views(ofAll: images, in: data.info)
      renderer = ViewRenderer(images: data.train, info: data.info, seed: found.viewSeed)
      identity = ("cache_id", found.cacheID)
      let taps = cache.taps
      teacher =
        settings.method.needsTeacher
        ? CachedTeacher(
          cache, taps: taps, storesCrops: views.crops, renderer: renderer, on: execution) : nil
      // The architecture tells all taps, also those that the cache does not hold.
      teacherTaps =
        (try? Architecture.make(found.teacherArchitecture, classes: found.classes).taps)
        ?? taps.map(\.tap)
      var stored = Self.featureViews(of: cache, taps: taps, images: images, info: data.info)
      if let rounds = settings.featureRounds, !stored.crops { stored.weak = rounds }
      featureViews = settings.plainViews ? ViewSet(plain: true) : stored
    } else {
      let rounds = settings.epochs
      views = settings.views ?? ViewSet(weak: rounds, strong: usesStrong ? rounds : 0)
      var features = ViewSet(plain: views.plain, weak: views.weak, crops: views.crops)
      if let rounds = settings.featureRounds { features.weak = rounds }
      featureViews = settings.plainViews ? ViewSet(plain: true) : features
      renderer = ViewRenderer(images: data.train, info: data.info, seed: settings.viewSeed)
      if case .live(let path, let architecture, let mean, let std) = choice {
        let loaded = try LoadedNetwork(
          weights: path, architecture: architecture, mean: mean, std: std, info: data.info)
        let live = LiveTeacher(
          loaded.network, normalization: loaded.normalization, height: data.info.height,
          width: data.info.width, on: execution)
        teacher = settings.method.needsTeacher ? live : nil
        teacherTaps = live.taps.map(\.tap)
        identity = ("teacher_weights", loaded.weightHash)
      } else {
        teacher = nil
        teacherTaps = []
        identity = ("teacher_weights", "none")
      }
    }
    // What the method does not look at does not belong to the run's configuration.
    if settings.plainViews {
      settings.views = ViewSet(plain: true)
    } else {
      settings.views = ViewSet(
        weak: views.weak, strong: usesStrong ? views.strong : 0, crops: views.crops)
    }
    if cache == nil { try Self.requireRounds(settings, views) }
  }

  private static func images(
    _ subset: Subset, data: ImageDataset, cache: CacheReader?
  ) throws -> [Int] {
    let images: [Int]
    if let cache, subset == .all {
      images = cache.images
    } else {
      images = try subset.indices(labels: data.train.labels, classes: data.info.classes)
    }
    guard !images.isEmpty else {
      throw SettingError(.usage, "the training set is empty; choose another --subset")
    }
    return images
  }

  /// The views on which every stored tap has features for all images.
  private static func featureViews(
    of cache: CacheReader, taps: [TapShape], images: [Int], info: DatasetInfo
  ) -> ViewSet {
    let sets = taps.map { cache.views(ofAll: images, tap: $0.tap, in: info) }
    guard let first = sets.first else { return ViewSet() }
    return sets.dropFirst().reduce(first) { a, b in
      ViewSet(
        plain: a.plain && b.plain, weak: min(a.weak, b.weak), strong: min(a.strong, b.strong),
        crops: a.crops && b.crops)
    }
  }

  private static func require(_ field: String, _ cached: String, _ here: String) throws {
    guard cached == here else {
      throw CacheError.mismatch(field: field, expected: here, found: cached)
    }
  }

  /// A live teacher has exactly the views that were asked for, so those must cover the method.
  private static func requireRounds(_ settings: Settings, _ views: ViewSet) throws {
    guard !settings.plainViews else { return }
    let kinds = settings.method.views
    if kinds.contains(.weak), views.weak == 0, !views.crops {
      throw missingViews(settings, "weak")
    }
    if kinds.contains(.strong), views.strong == 0 { throw missingViews(settings, "strong") }
  }

  private static func missingViews(_ settings: Settings, _ kind: String) -> SettingError {
    SettingError(
      .usage,
      "--method \(settings.method.rawValue) trains on \(kind) views and there are none; "
        + "add \(kind):N to --views")
  }
}
