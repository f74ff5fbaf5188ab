package import Datasets
import Networks

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
    var given: [(key: String, value: String)] = []
    for text in sets {
      guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
        throw SettingError(.usage, "--set \(text): expected KEY=VALUE such as dkd.beta=2")
      }
      given.append((String(text[..<equals]), String(text[text.index(after: equals)...])))
    }
    given += flags
    let fromRecipe = recipe?.settings ?? []
    for (key, _) in fromRecipe where !SettingKey.all.contains(where: { $0.name == key }) {
      throw SettingError(.recipe, "\(recipe?.path ?? ""): " + Self.unknownKey(key, SettingKey.all))
    }
    recipeInputs = recipe?.inputs ?? [:]
    let origins = SettingOrigins(
      explicit: Set(given.map(\.key)),
      recipe: Dictionary(fromRecipe.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }),
      recipePath: recipe?.path ?? "")
    self.origins = origins
    func last(_ key: String) -> String? {
      given.last { $0.key == key }?.value ?? origins.recipe[key]
    }
    func refusal(_ key: String, _ text: String) -> SettingError {
      origins.attributed(SettingError(.usage, text, about: [key]))
    }
    guard let methodText = last("method") else {
      throw SettingError(
        .usage,
        "--method is missing; expected one of "
          + MethodName.allCases.map(\.rawValue).joined(separator: ", "))
    }
    guard let method = MethodName(rawValue: methodText.lowercased()) else {
      throw refusal(
        "method", unknown("method", methodText, MethodName.allCases.map(\.rawValue)).description)
    }
    guard let studentText = last("student") else {
      throw SettingError(.usage, "--student is missing; name a network such as resnet20")
    }
    let student: String
    do { student = try Architecture.canonical(studentText) } catch {
      throw refusal("student", error.description)
    }
    let name: DatasetName
    if let dataset {
      let said = given.last { $0.key == "dataset" }?.value
      if let said, said.lowercased() != dataset.rawValue {
        throw SettingError(
          .usage,
          "--dataset \(said) contradicts the cache, which is of \(dataset.rawValue); "
            + "leave the flag out")
      }
      name = dataset
    } else if let text = last("dataset") {
      do { name = try DatasetName(parsing: text) } catch {
        throw refusal("dataset", error.description)
      }
    } else {
      throw SettingError(
        .usage,
        "--dataset is missing; expected one of "
          + DatasetName.allCases.map(\.rawValue).joined(separator: ", "))
    }
    var settings = Settings(method: method, student: student, dataset: name)
    let keys = SettingKey.keys(of: method)
    // A recipe may hold the settings of several methods; only this run's count. Its normalisation is that
    // of its data set.
    let isOfOtherImages =
      origins.recipe["dataset"].map { $0.lowercased() != name.rawValue } ?? false
    for (key, value) in fromRecipe where !(isOfOtherImages && ["mean", "std"].contains(key)) {
      guard let setting = keys.first(where: { $0.name == key }) else { continue }
      do { try setting.read(value, &settings) } catch {
        throw SettingError(.recipe, "\(recipe?.path ?? ""): \(error.description)")
      }
    }
    for (key, value) in given {
      guard let setting = keys.first(where: { $0.name == key }) else {
        throw SettingError(.usage, "--set \(key): " + Self.unknownKey(key, keys))
      }
      try setting.read(value, &settings)
    }
    (settings.dataset, settings.student) = (name, student)
    if let hint = method.ownDrops {
      // What says that there are none is no contradiction: scripts give one line to every method. Of a
      // recipe for another method they are put aside.
      let isOwn = !origins.explicit.contains("method")
      let drops = [("milestones", "none"), ("warmup_epochs", "0")].first { key, none in
        given.contains { $0.key == key && !isNothing($0.value, none) }
          || (isOwn && !isNothing(origins.recipe[key], none))
      }?.0
      if let drops {
        throw refusal(drops, "\(drops) does not go with \(method.rawValue): \(hint)")
      }
      settings.milestones = []
      settings.warmupEpochs = 0
    }
    do { try settings.settle(by: origins) } catch { throw origins.attributed(error) }
    self.settings = settings
  }

  private static func unknownKey(_ key: String, _ keys: [SettingKey]) -> String {
    if let other = SettingKey.all.first(where: { $0.name == key })?.method {
      return "this is a setting of \(other), not of the chosen method"
    }
    let inside = SettingKey.all.filter { $0.method == key }.map { $0.name.dropFirst(key.count + 1) }
    if !inside.isEmpty {
      return "\(key) is no setting but a section of settings: \(inside.joined(separator: ", "))"
    }
    let near = nearestName(to: key, among: keys.map(\.name)).map { "; did you mean \($0)?" } ?? ""
    return "there is no setting \"\(key)\"\(near)"
  }
}
