import Reporting

/// The resolved, complete configuration of a run: its settings and the identity of what it was
/// made from. Paths, thread counts and host names never enter it.
package struct RunConfiguration: Sendable {
  package let settings: Settings
  /// Hashes of the data set, the teacher or cache, and the starting weights, by name.
  package let inputs: [(name: String, value: String)]

  package init(settings: Settings, inputs: [(name: String, value: String)]) {
    self.settings = settings
    self.inputs = inputs
  }

  /// The text of config.yaml; `--recipe` reads it back.
  package var yaml: String {
    var text = ""
    var section: String?
    for key in SettingKey.keys(of: settings) {
      guard let value = key.write(settings) else { continue }
      if let method = key.method {
        if section != method { text += "\(method):\n" }
        section = method
        text += "  \(key.name.dropFirst(method.count + 1)): \(Self.scalar(value))\n"
      } else {
        text += "\(key.name): \(Self.scalar(value))\n"
      }
    }
    if !inputs.isEmpty { text += "\(Recipe.inputs):\n" }
    for (name, value) in inputs { text += "  \(name): \(Self.scalar(value))\n" }
    return text
  }

  /// The first line that differs between this configuration's text and another's. A setting that
  /// the other does not name has its default there: it was written before the setting existed. Two
  /// lists of images are compared by the images, which are among the inputs, not by their paths.
  package func firstDifference(from other: String) -> (field: String, here: String, there: String)?
  {
    let (ours, theirs) = (configurationFields(yaml), configurationFields(other))
    let initial = Settings(
      method: settings.method, student: settings.student, dataset: settings.dataset)
    let defaults = Dictionary(
      uniqueKeysWithValues: SettingKey.keys(of: settings).compactMap { key in
        key.write(initial).map { (key.name, Self.scalar($0)) }
      })
    let names = ours.map(\.key) + theirs.map(\.key).filter { n in !ours.contains { $0.key == n } }
    for name in names {
      let here = ours.first { $0.key == name }?.value ?? "absent"
      let there = theirs.first { $0.key == name }?.value ?? defaults[name] ?? "absent"
      // The images that are set aside do not show in the inputs.
      if name == "subset", settings.validationFraction == 0,
        [here, there].allSatisfy({ $0.contains("list:") })
      {
        continue
      }
      if here != there { return (name, here, there) }
    }
    return nil
  }

  /// Why a run of this configuration does not repeat the one whose config.yaml a recipe is: one
  /// sentence for each input that differs; none for other recipes.
  package func departures(from recipe: Recipe) -> [String] {
    recipe.inputs.sorted { $0.key < $1.key }.compactMap { name, theirs in
      let here = inputs.first { $0.name == name }?.value ?? "absent"
      guard here != theirs else { return nil }
      return "\(recipe.path) is of a run with \(name) \(theirs), here it is \(here): "
        + "this run does not repeat that one"
    }
  }

  /// Lists in brackets; text that YAML could take for something else in quotes.
  private static func scalar(_ value: String) -> String {
    let parts = value.split(separator: ",", omittingEmptySubsequences: false)
    if parts.count > 1 {
      return "[" + parts.map { scalar(String($0)) }.joined(separator: ", ") + "]"
    }
    let simple = value.allSatisfy {
      $0.isASCII && ($0.isLetter || $0.isNumber || "._+-".contains($0))
    }
    // A hash of digits alone, or one such as 12e4…, would read back as a number, but as the same
    // text; only empty and punctuated texts need quotes.
    if simple, !value.isEmpty { return value }
    return "'" + value.replacing("'", with: "''") + "'"
  }
}
