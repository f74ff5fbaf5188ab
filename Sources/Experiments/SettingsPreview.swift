import Datasets
import TeacherCache

extension TrainingSession {
  /// The settings of a run and its cache, before any image is read.
  static func resolve(
    _ choice: TeacherChoice, flags: [(key: String, value: String)], sets: [String],
    recipe: Recipe?
  ) throws -> (resolved: ResolvedSettings, cache: CacheReader?) {
    var cache: CacheReader?
    if case .cache(let path) = choice { cache = try CacheReader.open(path) }
    let dataset = try cache?.datasetInfo.name
    let resolved = try ResolvedSettings(
      flags: flags, sets: sets, recipe: recipe, dataset: dataset)
    let explicit = cache == nil ? [] : resolved.origins.explicit
    for key in ["views", "view_seed"] where explicit.contains(key) {
      throw SettingError(
        .usage, "\(key) does not go with --cache: the views are the cache's; leave it out")
    }
    return (resolved, cache)
  }

  /// The configuration of a run as far as it is known without its images: its settings, without
  /// what they were made from and, where a cache decides, without the views.
  ///
  /// - Parameters:
  ///   - hasInitialWeights: the normalisation is then that of a file, unless it is given.
  package static func preview(
    _ choice: TeacherChoice, hasInitialWeights: Bool, flags: [(key: String, value: String)],
    sets: [String], recipe: Recipe?
  ) throws -> RunConfiguration {
    let (resolved, cache) = try resolve(choice, flags: flags, sets: sets, recipe: recipe)
    var settings = resolved.settings
    if let cache {
      settings.viewSeed = cache.identity.viewSeed
      settings.views = nil
    }
    if !hasInitialWeights {
      settings.mean = settings.mean ?? settings.recipeNormalization.mean
      settings.std = settings.std ?? settings.recipeNormalization.std
    }
    return RunConfiguration(settings: settings, inputs: [])
  }
}
