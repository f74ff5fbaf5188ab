import Datasets
import Distillation
import Networks
import Reporting
import TeacherCache

/// Views or taps that a cache lacks, with the command that adds them.
package struct MissingFromCache: Error, CustomStringConvertible, Sendable {
  package let description: String
}

/// What a run reads from a cache, in all its epochs.
struct CacheRequirements {
  private var logitViews: Set<View> = []
  private var featureViews: Set<View> = []
  private var taps: [String] = []
  /// What the cache holds for all images of the run.
  private let views: ViewSet
  private let featureViewSet: ViewSet
  private let subset: Subset
  private let part: [Int]?

  /// - Parameter part: the cache's images, where the run takes these because there are no others.
  init(
    plan: TrainingPlan, settings: Settings, views: ViewSet, featureViews: ViewSet, part: [Int]?
  ) {
    self.part = part
    self.views = views
    featureViewSet = featureViews
    subset = settings.subset
    let rounds = RoundSchedule(views: views, plain: settings.plainViews)
    let featureRounds = RoundSchedule(featureViews: featureViews, plain: settings.plainViews)
    for phase in plan.phases {
      let epochs =
        phase.steps.lowerBound / plan.stepsPerEpoch...(phase.steps.upperBound - 1)
        / plan.stepsPerEpoch
      switch phase.objective {
      case .logits(let method):
        // Also of a method without a teacher: every view is proved.
        for epoch in epochs {
          for kind in method.views { logitViews.insert(rounds.view(kind, epoch: epoch)) }
        }
      case .features(let pairs):
        for pair in pairs where !taps.contains(pair.teacherTap) { taps.append(pair.teacherTap) }
        for epoch in epochs { self.featureViews.insert(featureRounds.view(.weak, epoch: epoch)) }
      }
    }
  }

  /// Fails naming what the run needs for all images and a cache does not hold, or will not hold once
  /// it is written through, with the flags or the command that add it.
  func require(
    in contents: CacheContents, of identity: CacheIdentity, images: [Int], data: ImageDataset,
    dataPath: String, isWriteThrough: Bool
  ) throws {
    let info = data.info
    do {
      try contents.require(
        images: images, views: stored(logitViews, views, info), taps: taps,
        featureViews: stored(featureViews, featureViewSet, info))
    } catch CacheError.missing(let lacking, _) {
      if isWriteThrough {
        throw SettingError(
          .usage,
          "this run needs \(lacking), which --write-through would not store; give "
            + flags(identity))
      }
      throw missing(lacking, of: identity, in: contents.directory, data, dataPath)
    }
  }

  /// Says what is lacking and, but for the teacher's file, the command that adds it.
  private func missing(
    _ lacking: String, of identity: CacheIdentity, in path: String, _ data: ImageDataset,
    _ dataPath: String
  ) -> MissingFromCache {
    var subset = subset
    var hint = ""
    if let part {
      let usual = Subset.usual(part, labels: data.train.labels, classes: data.info.classes)
      subset = usual ?? .list("IDS")
      if usual == nil {
        hint = ", with IDS a file of the \(grouped(part.count)) image ids that it holds, one a line"
      }
    }
    let network = identity.teacherArchitecture
    guard (try? Architecture.canonical(network)) != nil else {
      return MissingFromCache(
        description: "\(path) lacks \(lacking); its teacher, \"\(network)\", is no network known "
          + "here: let the program that wrote this cache add \(flags(identity))")
    }
    return MissingFromCache(
      description: "\(path) lacks \(lacking); this adds it\(hint): "
        + command(identity, subset, path: path, dataPath: dataPath))
  }

  /// The views as they are stored: a weak round is some crop where all crops are there.
  private func stored(_ views: Set<View>, _ held: ViewSet, _ info: DatasetInfo) -> [View] {
    guard held.crops else { return views.sorted() }
    let others = views.filter { if case .weak = $0 { false } else { true } }
    return (others + ViewSet(crops: true).views(in: info)).sorted()
  }

  /// The command that adds what a cache lacks; only the teacher's file is not known.
  private func command(
    _ identity: CacheIdentity, _ subset: Subset, path: String, dataPath: String
  ) -> String {
    var words = [
      "teacher-dump --dataset \(identity.dataset) --data \(shellWord(dataPath))",
      "--teacher FILE --arch \(shellWord(identity.teacherArchitecture))",
      "--mean \(Self.list(identity.teacherMean)) --std \(Self.list(identity.teacherStd))",
      flags(identity), "--logits \(identity.logits.rawValue)",
    ]
    if subset != .all { words.append("--subset \(shellWord("\(subset)"))") }
    if identity.viewSeed != 0 { words.append("--view-seed \(identity.viewSeed)") }
    return (words + ["--cache \(shellWord(path))"]).joined(separator: " ")
  }

  private static func list(_ values: [Float]) -> String {
    values.map(\.description).joined(separator: ",")
  }

  /// The flags that name the views and taps of the run.
  private func flags(_ identity: CacheIdentity) -> String {
    // Features take most of a cache, and one round of them is enough to begin with.
    let featureViews: Set<View> =
      featureViewSet.isEmpty && !self.featureViews.isEmpty ? [.weak(0)] : self.featureViews
    let asked = Self.set(featureViews, featureViewSet)
    var all = Self.set(featureViews, views)
    // A kind that the cache lacks altogether begins with a pool, not with a view an epoch.
    let logits = Self.set(logitViews, views)
    // Features are stored of views whose logits are.
    all.weak = max(all.weak, asked.weak)
    all.plain = all.plain || logits.plain
    all.crops = all.crops || logits.crops
    all.weak = max(all.weak, views.weak > 0 ? logits.weak : min(logits.weak, 16))
    all.strong = max(all.strong, views.strong > 0 ? logits.strong : min(logits.strong, 16))
    var words = ["--views \(all)"]
    if !taps.isEmpty {
      words.append("--features \(taps.joined(separator: ","))")
      words.append("--feature-views \(asked)")
    }
    // A cache has one, whether this run needs features or not.
    if !taps.isEmpty || identity.featurePrecision != StorageForm().featurePrecision {
      words.append("--feature-precision \(identity.featurePrecision.rawValue)")
    }
    return words.joined(separator: " ")
  }

  /// The needed views as `--views` takes them, with what the cache has as the number of rounds.
  private static func set(_ views: Set<View>, _ held: ViewSet) -> ViewSet {
    var set = ViewSet()
    for view in views {
      switch view {
      case .plain: set.plain = true
      case .weak where held.crops: set.crops = true
      case .weak(let round): set.weak = max(set.weak, held.weak, round + 1)
      case .strong(let round): set.strong = max(set.strong, held.strong, round + 1)
      case .crop: set.crops = true
      }
    }
    return set
  }
}
