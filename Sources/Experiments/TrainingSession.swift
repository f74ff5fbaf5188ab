import Crypto
import Datasets
package import Distillation
import FileIO
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
  /// A weight file that is run where a cache holds nothing yet, and stored there.
  case writeThrough(WriteThroughRequest)

  var isWriteThrough: Bool {
    if case .writeThrough = self { true } else { false }
  }
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
  ///   - output: the run's folder; one that holds a run already goes on with the views of that run,
  ///     although its cache may hold more views by now.
  ///   - isPreview: nothing will be trained, so a cache that is written through stays untouched.
  package init(
    teacher choice: TeacherChoice, dataPath: String, initialWeights: String?,
    flags: [(key: String, value: String)], sets: [String], recipe: Recipe?, execution: Execution,
    output: String? = nil, isPreview: Bool = false
  ) throws {
    let (resolved, cache) = try Self.resolve(
      choice, flags: flags, sets: sets, recipe: recipe)
    var settings = resolved.settings
    let repeats = Self.takeViews(
      &settings, choice, cache, recipeInputs: resolved.recipeInputs, output: output)
    try Self.requireTeacher(choice, settings.method)
    let data = try ImageDataset.load(settings.dataset, from: dataPath)
    let student = try TrainingInputs.makeStudent(
      resolved, initial: initialWeights, info: data.info)
    settings.mean = student.normalization.mean
    settings.std = student.normalization.std
    var kept: [Int]?
    if let cache, settings.subset == .all, repeats == cache.identity.cacheID {
      // Of the run that goes on, or of the one that is repeated.
      let repeated =
        resolved.recipeInputs["cache_id"] == cache.identity.cacheID ? recipe?.folder : nil
      kept = try Self.keptImages([output, repeated], data)
    }
    var source = try resolved.origins.check {
      try TeacherViews(
        choice: choice, cache: cache, data: data, settings: &settings, repeats: repeats, kept: kept,
        execution: execution)
    }
    let isPart = settings.subset == .all && source.images.count < data.train.labels.count
    let split = try resolved.origins.check { try Self.split(source.images, data, settings) }
    let images = split.training
    var classCounts = Array(repeating: 0, count: data.info.classes)
    for image in images { classCounts[data.train.labels[image]] += 1 }
    let shape = RunShape(
      stepsPerEpoch: (images.count + settings.batchSize - 1) / settings.batchSize,
      classCounts: classCounts, studentTaps: student.network.taps,
      teacherTaps: source.teacherTaps.map(\.tap),
      studentGivesCosines: student.network.givesCosines)
    plan = try resolved.origins.check { try settings.method.plan(settings, for: shape) }
    try plan.requireAdapters(
      student: student.network.tapSizes(height: data.info.height, width: data.info.width),
      teacher: source.teacherTaps)
    let requirements = CacheRequirements(
      plan: plan, settings: settings, views: source.views, featureViews: source.featureViews,
      part: isPart ? source.images : nil)
    if let contents = source.contents, let identity = source.cacheIdentity {
      try requirements.require(
        in: contents, of: identity, images: images, data: data, dataPath: dataPath,
        isWriteThrough: choice.isWriteThrough)
    }
    configuration = RunConfiguration(
      settings: settings,
      inputs: [
        ("dataset_hash", source.datasetHash), ("image_ids", Self.hash(of: images)),
        source.identity, ("initial_weights", student.identity),
      ])
    if case .writeThrough(let request) = choice, !isPreview {
      // Only now, so that a run that is refused leaves no trace in the cache.
      if let output {
        try RunDirectory.requireOther(output, than: request.cache)
        try RunDirectory.check(output, for: configuration)
      }
      try source.openWriteThrough()
    }
    inputs = TrainingInputs(
      data: data, images: images, validation: split.validation, classCounts: classCounts,
      student: student.network,
      normalization: student.normalization,
      logitScale: student.network.givesCosines ? Float(settings.ldam.scale) : 1,
      teacher: source.teacher, views: source.views,
      featureViews: source.featureViews, viewSeed: source.renderer.seed,
      cacheIdentity: source.cacheIdentity,
      cacheInfo: source.cacheInfo, cachedImages: isPart ? source.images : nil,
      classNames: settings.dataset.classNames(in: dataPath))
    let absent = classCounts.count { $0 == 0 }
    notes =
      settings.unreachedEpochs + source.notes
      + (settings.method.note(absentClasses: absent, settings).map { [$0] } ?? [])
      + (recipe.map(configuration.notes(on:)) ?? [])
  }

  /// Takes the views of the run that goes on, as far as this one does not name others.
  ///
  /// - Returns: the cache of the run that goes on, or of the one that is repeated; nil without one.
  private static func takeViews(
    _ settings: inout Settings, _ choice: TeacherChoice, _ cache: CacheReader?,
    recipeInputs: [String: String], output: String?
  ) -> String? {
    let repeated = recipeInputs["cache_id"]
    guard let output else { return repeated }
    switch choice {
    case .writeThrough(let request) where request.form.taps.isEmpty:
      // Features that were there before are used as far as the run began with them.
      if let found = try? CacheReader.open(request.cache) {
        _ = settings.takeViews(
          ofRunIn: output, cacheID: found.identity.cacheID, onlyFeatures: true)
      }
    default:
      if let cacheID = cache?.identity.cacheID, repeated != cacheID,
        settings.takeViews(ofRunIn: output, cacheID: cacheID)
      {
        return cacheID
      }
    }
    return repeated
  }

  /// The images of the first of these runs that trained on all that its cache held; nil without one.
  private static func keptImages(_ runs: [String?], _ data: ImageDataset) throws -> [Int]? {
    for folder in runs.compactMap({ $0 }) {
      let kept = try RunImages.read(
        from: folder, labels: data.train.labels, classes: data.info.classes)
      if let kept { return kept }
    }
    return nil
  }

  /// Sets the validation images aside.
  private static func split(
    _ images: [Int], _ data: ImageDataset, _ settings: Settings
  ) throws(SettingError) -> ValidationSplit {
    let split = ValidationSplit(
      images: images, labels: images.map { data.train.labels[$0] }, classes: data.info.classes,
      fraction: settings.validationFraction, seed: settings.seed)
    guard settings.validationFraction == 0 || !split.validation.isEmpty else {
      throw SettingError(
        .usage,
        "val_fraction \(settings.validationFraction) leaves no validation images: no class has "
          + "enough of them; choose a larger fraction", about: ["val_fraction"])
    }
    return split
  }

  private static func requireTeacher(_ choice: TeacherChoice, _ method: MethodName) throws {
    if method.needsTeacher, case .none = choice {
      throw SettingError(
        .usage,
        "--method \(method.rawValue) learns from a teacher: give --cache DIR, or --teacher FILE to "
          + "run one live")
    }
    if choice.isWriteThrough, !method.needsTeacher {
      throw SettingError(
        .usage,
        "--method \(method.rawValue) listens to no teacher, so --write-through has nothing to "
          + "write; use teacher-dump")
    }
  }

  /// SHA-256 of the image ids as decimal lines.
  private static func hash(of images: [Int]) -> String {
    var hash = SHA256()
    for id in images { hash.update(data: Data("\(id)\n".utf8)) }
    return hexadecimal(hash.finalize())
  }
}

extension RunConfiguration {
  /// What of a recipe this run does not follow, one sentence each.
  fileprivate func notes(on recipe: Recipe) -> [String] {
    func other(_ key: String, than mine: String) -> String? {
      let said = recipe.settings.last { $0.key == key }?.value
      return said.flatMap { $0.lowercased() == mine ? nil : $0 }
    }
    var notes = recipe.notes + departures(from: recipe)
    let (method, dataset) = (settings.method.rawValue, settings.dataset.rawValue)
    if let said = other("method", than: method) {
      notes.append(
        "\(recipe.path) is for \(said); this run is \(method), with the weights and thresholds of its "
          + "own and the other settings of that recipe")
    }
    if let said = other("dataset", than: dataset) {
      notes.append(
        "\(recipe.path) is for \(said); this run is on \(dataset), with its normalisation and the "
          + "other settings of that recipe")
    }
    return notes
  }
}

extension TrainingPlan {
  /// Fails with ``PlanError`` of kind mismatch where a part that comes later could not begin.
  ///
  /// - Parameters:
  ///   - student: the shapes of the student's taps, in order.
  ///   - teacher: those of the teacher's.
  fileprivate func requireAdapters(student: [TapShape], teacher: [TapShape]) throws(PlanError) {
    for phase in phases {
      guard case .features(let pairs) = phase.objective else { continue }
      for pair in pairs {
        guard let shape = teacher.first(where: { $0.tap == pair.teacherTap }) else { continue }
        _ = try FeatureMatcher.Scale(student: student[pair.studentStage], teacher: shape)
      }
    }
  }
}
