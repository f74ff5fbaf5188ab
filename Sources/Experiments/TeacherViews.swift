import Datasets
import Distillation
import Networks
import Reporting
import TeacherCache
import Tensors

/// The teacher of a run, its views, and what checks the images against them.
struct TeacherViews {
  private(set) var teacher: (any TeacherSource)?
  /// All taps of the teacher, also those that a cache does not hold, with their shapes for these images.
  let teacherTaps: [TapShape]
  /// Original ids of the images that are trained on: the subset, or all that the cache holds.
  let images: [Int]
  let views: ViewSet
  let featureViews: ViewSet
  let renderer: ViewRenderer
  let datasetHash: String
  let identity: (name: String, value: String)
  /// What the cache holds, or will hold once it is written through; nil without a cache.
  let contents: CacheContents?
  let cacheIdentity: CacheIdentity?
  /// What a cache that is only read holds; nil in a run that fills it.
  private(set) var cacheInfo: CacheInfo?
  /// What the user should know, one sentence each.
  let notes: [String]
  /// The dump that a run with write-through does by the way, and whether nothing of it is left to do.
  private let filling: (dump: DumpSession, isDone: Bool)?

  /// - Parameters:
  ///   - repeats: the cache of the run that is repeated from its config.yaml; its views are then
  ///     those of that run, although the cache may have grown since.
  ///   - kept: the images of that run, where it trained on all that the cache held.
  init(
    choice: TeacherChoice, cache: CacheReader?, data: ImageDataset, settings: inout Settings,
    repeats: String?, kept: [Int]?, execution: Execution
  ) throws {
    let usesStrong = settings.method.views.contains(.strong)
    let rounds = ViewSet(weak: settings.epochs, strong: usesStrong ? settings.epochs : 0)
    let source =
      switch choice {
      case .none:
        Source(datasetHash: data.train.contentHash(), identity: ("teacher_weights", "none"))
      case .live(let path, let architecture, let mean, let std):
        try Self.live(
          LoadedNetwork(
            weights: path, architecture: architecture, mean: mean, std: std, info: data.info),
          path, data, settings.method, on: execution)
      case .writeThrough(let request):
        try Self.filled(request, data, settings, rounds, on: execution)
      case .cache:
        try Self.stored(cache, data)
      }
    if let cache { settings.viewSeed = cache.identity.viewSeed }
    (teacherTaps, datasetHash, identity) = (source.taps, source.datasetHash, source.identity)
    (contents, filling) = (source.contents, source.filling)
    renderer = ViewRenderer(images: data.train, info: data.info, seed: settings.viewSeed)
    images = try kept ?? Self.images(settings.subset, data: data, cache: cache)
    let pools = Self.pools(
      source, cache, images: images, settings, repeats: repeats, rounds, data.info)
    views = pools.views
    let settled = try Self.settle(pools.features, &settings, areStored: contents != nil)
    featureViews = settled.views
    notes = source.notes + settled.notes
    if let cache {
      teacher = CachedTeacher(cache, taps: cache.contents.taps, renderer: renderer, on: execution)
    } else {
      teacher = source.teacher
    }
    cacheIdentity = cache?.identity ?? filling?.dump.identity
    cacheInfo = cache?.info
    // What the method does not look at does not belong to the run's configuration.
    if settings.plainViews {
      settings.views = ViewSet(plain: true)
    } else {
      settings.views = ViewSet(
        weak: views.weak, strong: usesStrong ? views.strong : 0, crops: views.crops)
    }
    if cache == nil { try Self.requireRounds(settings, views) }
  }

  /// Takes the cache's lock and puts the teacher behind it, in a run that writes through. A cache that
  /// holds everything already is only read.
  mutating func openWriteThrough() throws {
    guard let filling, let contents else { return }
    guard filling.isDone else {
      teacher = try filling.dump.openWriteThrough(taps: contents.taps)
      return
    }
    let cache = try CacheReader.open(contents.directory)
    cacheInfo = cache.info
    teacher = CachedTeacher(
      cache, taps: contents.taps, renderer: renderer, on: filling.dump.execution)
  }

  /// What a choice of teacher comes to, before its views are counted.
  private struct Source {
    var teacher: (any TeacherSource)?
    var taps: [TapShape] = []
    let datasetHash: String
    let identity: (name: String, value: String)
    var contents: CacheContents?
    var filling: (dump: DumpSession, isDone: Bool)?
    /// Of a run with write-through, in whose cache they all are in the end, whatever else is there.
    var asked: (views: ViewSet, features: ViewSet?)?
    var notes: [String] = []
  }

  private static func live(
    _ loaded: LoadedNetwork, _ path: String, _ data: ImageDataset, _ method: MethodName,
    on execution: Execution
  ) throws -> Source {
    let live = LiveTeacher(
      loaded.network, normalization: loaded.normalization, height: data.info.height,
      width: data.info.width, on: execution)
    if method.needsTeacherLogits { try loaded.network.requireLogits(path) }
    return Source(
      teacher: method.needsTeacher ? live : nil, taps: live.taps,
      datasetHash: data.train.contentHash(), identity: ("teacher_weights", loaded.weightHash))
  }

  private static func filled(
    _ request: WriteThroughRequest, _ data: ImageDataset, _ settings: Settings, _ rounds: ViewSet,
    on execution: Execution
  ) throws -> Source {
    let views = settings.views ?? (settings.plainViews ? ViewSet(plain: true) : rounds)
    let session = try DumpSession(
      request.dump(settings, views: views), train: data.train, on: execution)
    let plan = try session.plan()
    return Source(
      taps: session.teacher.network.tapSizes(height: data.info.height, width: data.info.width),
      datasetHash: session.identity.datasetHash,
      identity: ("cache_id", session.identity.cacheID),
      contents: plan.contents(in: request.cache), filling: (session, plan.work.isEmpty),
      asked: (views, request.form.taps.isEmpty ? nil : request.form.featureViews),
      notes: [
        plan.work.isEmpty
          ? "\(request.cache) holds every view already: nothing is written through"
          : "\(grouped(plan.views)) views are evaluated as they come and stored in \(request.cache)"
      ])
  }

  private static func stored(_ cache: CacheReader?, _ data: ImageDataset) throws -> Source {
    guard let cache else { preconditionFailure("the cache was opened before") }
    let found = cache.identity
    let datasetHash = data.train.contentHash()
    try cache.require(data.info, count: data.train.count, hash: datasetHash)
    for (kind, version) in data.info.augmentations.sorted(by: { $0.key < $1.key }) {
      let cached = found.augmentations[kind] ?? "absent"
      guard cached == version else {
        throw CacheError.mismatch(field: "augmentation \(kind)", expected: version, found: cached)
      }
    }
    let unfinished = cache.info.unfinishedUnits
    // The architecture tells all taps; of an unknown one those that are stored are known.
    let network = try? Architecture.make(found.teacherArchitecture, classes: found.classes)
    let shapes = network?.tapSizes(height: data.info.height, width: data.info.width)
    return Source(
      taps: (shapes ?? cache.contents.taps).map { cache.shape(of: $0.tap) ?? $0 },
      datasetHash: datasetHash, identity: ("cache_id", found.cacheID), contents: cache.contents,
      notes: unfinished == 0
        ? []
        : [
          "\(cache.directory) has \(unfinished) unfinished "
            + "\(unfinished == 1 ? "unit" : "units"): this run uses only what is sealed"
        ])
  }

  /// The views that the run may look at, and those of them that have features.
  private static func pools(
    _ source: Source, _ cache: CacheReader?, images: [Int], _ settings: Settings, repeats: String?,
    _ rounds: ViewSet, _ info: DatasetInfo
  ) -> (views: ViewSet, features: ViewSet) {
    guard let contents = source.contents else {
      let views = settings.views ?? rounds
      return (views, ViewSet(plain: views.plain, weak: views.weak, crops: views.crops))
    }
    var held = contents.views(ofAll: images, in: info)
    if let cache, held.isEmpty {
      // Some images are not there at all: what lacks are these, in the views of the others.
      held = contents.views(ofAll: cache.images, in: info)
    }
    if let cache, cache.identity.cacheID == repeats, let then = settings.views, !then.plain {
      (held.weak, held.crops) = (then.weak, then.crops)
      if then.strong > 0 { held.strong = then.strong }
    }
    let features = featureViews(of: contents, taps: contents.taps, images: images, info: info)
    return (source.asked?.views ?? held, source.asked?.features ?? features)
  }

  /// Takes the views with features that the settings ask for, and puts into the settings what they are.
  ///
  /// - Parameter areStored: whether they are a cache's.
  private static func settle(
    _ features: ViewSet, _ settings: inout Settings, areStored: Bool
  ) throws -> (views: ViewSet, notes: [String]) {
    if settings.plainViews { return (ViewSet(plain: true), []) }
    var features = features
    if let rounds = settings.featureRounds {
      guard !features.crops || features.weak >= rounds else {
        throw SettingError(
          .usage,
          "sskd.feature_rounds is \(rounds), but there are features of weak:all, which has every "
            + "round; leave it out",
          about: ["sskd.feature_rounds"])
      }
      (features.weak, features.crops) = (rounds, false)
      if rounds == 0 { features = ViewSet(plain: true) }
    }
    guard settings.method.needsTeacherFeatures, !features.crops,
      features.weak > 0 || features.plain
    else { return (features, []) }
    let isChosen = settings.featureRounds != nil
    settings.featureRounds = features.weak
    var notes: [String] = []
    if areStored, features.weak == 0, !isChosen {
      notes.append(
        "there are features of plain views only: while stages imitate, every image is seen as it is; "
          + "a cache with --feature-views weak:8 has crops")
    }
    if areStored, features.weak == 1, settings.epochs > 1 {
      notes.append(
        "there are features of one round only: while stages imitate, every image is seen in one "
          + "and the same crop; a cache with --feature-views weak:8 has more")
    }
    return (features, notes)
  }

  private static func images(
    _ subset: Subset, data: ImageDataset, cache: CacheReader?
  ) throws -> [Int] {
    let images: [Int]
    if let cache, subset == .all {
      images = cache.images
      if images.isEmpty {
        throw MissingFromCache(
          description: "\(cache.directory) holds nothing yet; let teacher-dump seal a unit first")
      }
    } else {
      images = try subset.indices(labels: data.train.labels, classes: data.info.classes)
    }
    guard !images.isEmpty else {
      throw SettingError(
        .usage, "the training set is empty; choose another --subset", about: ["subset"])
    }
    return images
  }

  /// The views on which every stored tap has features for all images.
  private static func featureViews(
    of contents: CacheContents, taps: [TapShape], images: [Int], info: DatasetInfo
  ) -> ViewSet {
    let sets = taps.map { contents.views(ofAll: images, tap: $0.tap, in: info) }
    guard let first = sets.first else { return ViewSet() }
    // No method compares features of strong views.
    return sets.reduce(ViewSet(plain: first.plain, weak: first.weak, crops: first.crops)) { a, b in
      ViewSet(plain: a.plain && b.plain, weak: min(a.weak, b.weak), crops: a.crops && b.crops)
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
        + "add \(kind):N to --views",
      about: ["method", "views"])
  }
}
