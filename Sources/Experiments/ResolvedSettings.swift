package import Datasets

/// Settings with what was said explicitly, after flag, `--set`, recipe and default were weighed.
package struct ResolvedSettings: Sendable {
  package let settings: Settings
  /// What the run was made from whose config.yaml the recipe is; empty otherwise.
  package let recipeInputs: [String: String]
  let origins: SettingOrigins

  /// - Parameters:
  ///   - flags: (key, value) of the flags that were given.
  ///   - sets: the `key=value` texts of `--set`.
  ///   - dataset: what the cache says; wins over a recipe, must agree with a flag.
  package init(
    flags: [(key: String, value: String)], sets: [String], recipe: Recipe?, dataset: DatasetName?
  ) throws(SettingError) {
    let given = try GivenSettings(flags: flags, sets: sets, recipe: recipe)
    let (method, student) = (try given.method(), try given.student())
    let dataset = try given.dataset(dataset)
    var settings = Settings(method: method, student: student, dataset: dataset)
    try given.read(into: &settings)
    (settings.dataset, settings.student) = (dataset, student)
    try given.requireNoDrops(method)
    if method.ownDrops != nil { (settings.milestones, settings.warmupEpochs) = ([], 0) }
    do { try settings.settle(by: given.origins) } catch { throw given.origins.attributed(error) }
    self.settings = settings
    origins = given.origins
    recipeInputs = recipe?.inputs ?? [:]
  }
}
