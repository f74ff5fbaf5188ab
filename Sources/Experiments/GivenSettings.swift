import Datasets
import Networks

/// What flags, `--set` and a recipe say of a run, before it is weighed: of one key the last flag or
/// `--set` counts, then the recipe.
struct GivenSettings {
  private let explicit: [(key: String, value: String)]
  private let recipe: Recipe?
  let origins: SettingOrigins

  /// - Parameters:
  ///   - flags: (key, value) of the flags that were given.
  ///   - sets: the `key=value` texts of `--set`.
  init(
    flags: [(key: String, value: String)], sets: [String], recipe: Recipe?
  ) throws(SettingError) {
    var explicit: [(key: String, value: String)] = []
    for text in sets {
      guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
        throw SettingError(.usage, "--set \(text): expected KEY=VALUE such as dkd.beta=2")
      }
      explicit.append((String(text[..<equals]), String(text[text.index(after: equals)...])))
    }
    explicit += flags
    let settings = recipe?.settings ?? []
    for (key, _) in settings where !SettingKey.all.contains(where: { $0.name == key }) {
      throw SettingError(.recipe, "\(recipe?.path ?? ""): " + Self.unknownKey(key, SettingKey.all))
    }
    self.explicit = explicit
    self.recipe = recipe
    origins = SettingOrigins(
      explicit: Set(explicit.map(\.key)),
      recipe: Dictionary(settings.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 }),
      recipePath: recipe?.path ?? "")
  }

  func method() throws(SettingError) -> MethodName {
    let names = MethodName.allCases.map(\.rawValue)
    guard let text = last("method") else {
      throw SettingError(
        .usage, "--method is missing; expected one of " + names.joined(separator: ", "))
    }
    guard let method = MethodName(rawValue: text.lowercased()) else {
      throw refusal("method", unknown("method", text, names).description)
    }
    return method
  }

  /// The student's canonical name.
  func student() throws(SettingError) -> String {
    guard let text = last("student") else {
      throw SettingError(.usage, "--student is missing; name a network such as resnet20")
    }
    do { return try Architecture.canonical(text) } catch {
      throw refusal("student", error.description)
    }
  }

  /// - Parameter cached: what the cache says; wins over a recipe, must agree with a flag.
  func dataset(_ cached: DatasetName?) throws(SettingError) -> DatasetName {
    if let cached {
      if let text = lastExplicit("dataset"), text.lowercased() != cached.rawValue {
        throw SettingError(
          .usage,
          "--dataset \(text) contradicts the cache, which is of \(cached.rawValue); "
            + "leave the flag out")
      }
      return cached
    }
    guard let text = last("dataset") else {
      throw SettingError(
        .usage,
        "--dataset is missing; expected one of "
          + DatasetName.allCases.map(\.rawValue).joined(separator: ", "))
    }
    do { return try DatasetName(parsing: text) } catch {
      throw refusal("dataset", error.description)
    }
  }

  /// Reads every setting of the run's method into `settings`.
  func read(into settings: inout Settings) throws(SettingError) {
    let keys = SettingKey.keys(of: settings.method)
    // A recipe may hold the settings of several methods; only this run's count. Its normalisation is that
    // of its data set.
    let isOfOtherImages =
      origins.recipe["dataset"].map { $0.lowercased() != settings.dataset.rawValue } ?? false
    for (key, value) in recipe?.settings ?? []
    where !(isOfOtherImages && ["mean", "std"].contains(key)) {
      guard let setting = keys.first(where: { $0.name == key }) else { continue }
      do { try setting.read(value, &settings) } catch {
        throw SettingError(.recipe, "\(origins.recipePath): \(error.description)")
      }
    }
    for (key, value) in explicit {
      guard let setting = keys.first(where: { $0.name == key }) else {
        throw SettingError(.usage, "--set \(key): " + Self.unknownKey(key, keys))
      }
      try setting.read(value, &settings)
    }
  }

  /// Refuses drops and warm-up of the whole run for a method whose parts have their own.
  ///
  /// What says that there are none is no contradiction: scripts give one line to every method. Of a
  /// recipe for another method they are put aside.
  func requireNoDrops(_ method: MethodName) throws(SettingError) {
    guard let hint = method.ownDrops else { return }
    let isOwn = !origins.explicit.contains("method")
    for (key, none) in [("milestones", "none"), ("warmup_epochs", "0")]
    where explicit.contains(where: { $0.key == key && !isNothing($0.value, none) })
      || (isOwn && !isNothing(origins.recipe[key], none))
    {
      throw refusal(key, "\(key) does not go with \(method.rawValue): \(hint)")
    }
  }

  private func lastExplicit(_ key: String) -> String? { explicit.last { $0.key == key }?.value }

  private func last(_ key: String) -> String? { lastExplicit(key) ?? origins.recipe[key] }

  private func refusal(_ key: String, _ text: String) -> SettingError {
    origins.attributed(SettingError(.usage, text, about: [key]))
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
