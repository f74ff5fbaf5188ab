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
    var repeats = resolved.recipeInputs["cache_id"]
    if let cacheID = cache?.identity.cacheID, repeats != cacheID, let output,
      settings.takeViews(ofRunIn: output, cacheID: cacheID)
    {
      repeats = cacheID
    }
    if case .writeThrough(let request) = choice, request.form.taps.isEmpty, let output,
      let found = try? CacheReader.open(request.cache)
    {
      // Features that were there before are used as far as the run began with them.
      _ = settings.takeViews(
        ofRunIn: output, cacheID: found.identity.cacheID, onlyFeatures: true)
    }
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
      for folder in [output, repeated].compactMap({ $0 }) where kept == nil {
        kept = try RunImages.read(
          from: folder, labels: data.train.labels, classes: data.info.classes)
      }
    }
    var source = try resolved.origins.check {
      try TeacherViews(
        choice: choice, cache: cache, data: data, settings: &settings, repeats: repeats, kept: kept,
        execution: execution)
    }
    let isPart = settings.subset == .all && source.images.count < data.train.labels.count
    let split = ValidationSplit(
      images: source.images, labels: source.images.map { data.train.labels[$0] },
      classes: data.info.classes, fraction: settings.validationFraction, seed: settings.seed)
    if settings.validationFraction > 0, split.validation.isEmpty {
      throw resolved.origins.attributed(
        SettingError(
          .usage,
          "val_fraction \(settings.validationFraction) leaves no validation images: no class has "
            + "enough of them; choose a larger fraction", about: ["val_fraction"]))
    }
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
      cacheID: source.cacheIdentity?.cacheID, cacheIdentity: source.cacheIdentity,
      cacheInfo: source.cacheInfo, cachedImages: isPart ? source.images : nil,
      classNames: settings.dataset.classNames(in: dataPath))
    var notes = settings.unreachedEpochs + source.notes
    if let note = settings.method.note(absentClasses: classCounts.count { $0 == 0 }, settings) {
      notes.append(note)
    }
    if let recipe {
      notes += recipe.notes + configuration.departures(from: recipe)
      if let said = recipe.settings.last(where: { $0.key == "method" })?.value,
        said.lowercased() != settings.method.rawValue
      {
        notes.append(
          "\(recipe.path) is for \(said); this run is \(settings.method.rawValue), with the "
            + "weights and thresholds of its own and the other settings of that recipe")
      }
      if let said = recipe.settings.last(where: { $0.key == "dataset" })?.value,
        said.lowercased() != settings.dataset.rawValue
      {
        notes.append(
          "\(recipe.path) is for \(said); this run is on \(settings.dataset.rawValue), with its "
            + "normalisation and the other settings of that recipe")
      }
    }
    self.notes = notes
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
    return hash.finalize().map { String(format: "%02x", $0) }.joined()
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
