import Foundation

/// One run of a sweep: what it is called and what it is told.
package struct SweepRun: Sendable, Equatable {
  /// Its folder below the sweep's: what differs between the runs, joined by dashes.
  package let name: String
  /// What differs but for the seed; the runs of one label are averaged.
  package let label: String
  /// A recipe's name or file.
  package let recipe: String?
  /// `key=value`, the later ones winning.
  package let sets: [String]
}

/// What a sweep goes through, and the runs that come of it.
package struct SweepPlan: Sendable {
  /// As `--method`, `--student`, `--recipe` and `--seeds` gave them; empty where they were not.
  package var methods: [String] = []
  package var students: [String] = []
  package var recipes: [String] = []
  package var seeds: [String] = []
  /// `key=value,value,…`; values that hold commas themselves are parted by semicolons.
  package var varied: [String] = []
  /// `--set` of every run that the key concerns.
  package var sets: [String] = []
  /// The other settings that were given as flags.
  package var flags: [(key: String, value: String)] = []

  package init() {}

  /// All combinations, seeds varying fastest.
  ///
  /// A setting of one method (`crld.tau_w`) concerns the runs of that method, `dkd.beta` also those
  /// of CRLD over DKD; the others are not multiplied by it.
  ///
  /// - Parameter settingOf: what a recipe says about a key.
  /// - Throws: ``SettingError`` for empty and repeated values, settings that concern no run, and
  ///   runs that could not be told apart.
  package func runs(
    settingOf: (_ recipe: String, _ key: String) throws -> String?
  ) throws -> [SweepRun] {
    let axes = try varied.map(Self.axis)
    let given = flags.map(\.key) + sets.map(Self.key)
    try check(axes, given)
    var runs: [SweepRun] = []
    var concerned: Set<String> = []
    for recipe in recipes.isEmpty ? [nil] : recipes.map(Optional.some) {
      for chosen in methods.isEmpty ? [nil] : methods.map(Optional.some) {
        let method =
          try chosen ?? Self.value(of: "method", in: sets)
          ?? recipe.flatMap { try settingOf($0, "method") }
        let borrowing = method.flatMap { MethodName(rawValue: $0.lowercased())?.borrowing }
        func concerns(_ key: String) -> Bool {
          let owner = SettingKey.named(key)?.method
          guard owner == nil || owner == method?.lowercased() else { return false }
          concerned.insert(key)
          return true
        }
        var start = Combination()
        start.sets = sets.filter { concerns(Self.key($0)) }
        start.sets += flags.map { "\($0.key)=\($0.value)" }
        if let chosen { start.sets.append("method=\(chosen)") }
        if let recipe, recipes.count > 1 { start.parts.append(Self.recipeName(recipe)) }
        if methods.count > 1 || recipes.count < 2, let method { start.parts.append(method) }
        var combinations = [start].crossed(
          with: students, key: "student", shown: students.count > 1 ? "" : nil)
        for axis in axes where concerns(axis.key) {
          // In the folder of a crld run, tau_w=0.8 says enough.
          let isOwn = method.map { axis.key.hasPrefix($0.lowercased() + ".") } ?? false
          let short = isOwn ? axis.key.drop { $0 != "." }.dropFirst() : axis.key[...]
          combinations = combinations.crossed(
            with: axis.values, key: axis.key, shown: "\(short)=")
        }
        if let borrowing {
          let inRecipe = try recipe.flatMap { try settingOf($0, borrowing.switchKey) }
          combinations = combinations.flatMap { combination in
            let on = Self.value(of: borrowing.switchKey, in: combination.sets) ?? inRecipe
            guard on?.lowercased() == borrowing.value else { return [combination] }
            var start = combination
            start.sets += sets.filter { borrowing.keys.contains(Self.key($0)) }
            concerned.formUnion(borrowing.keys)
            return axes.filter { borrowing.keys.contains($0.key) }.reduce([start]) { all, axis in
              all.crossed(with: axis.values, key: axis.key, shown: "\(axis.key)=")
            }
          }
        }
        for combination in combinations {
          let label = combination.parts.joined(separator: ", ")
          for run in [combination].crossed(with: seeds, key: "seed", shown: "seed=") {
            let name = Self.folderName(run.parts.joined(separator: "-"))
            runs.append(SweepRun(name: name, label: label, recipe: recipe, sets: run.sets))
          }
        }
      }
    }
    if let idle = (axes.map(\.key) + sets.map(Self.key)).first(where: { !concerned.contains($0) }) {
      throw SettingError(.usage, "\(idle) concerns none of this sweep's methods; leave it out")
    }
    var names: Set<String> = []
    for run in runs where !names.insert(run.name).inserted {
      throw SettingError(.usage, "two runs of this sweep would share the folder \(run.name)")
    }
    return runs
  }

  /// What the last of some `key=value` texts says of a key.
  private static func value(of key: String, in sets: [String]) -> String? {
    sets.last { Self.key($0) == key }.map { String($0.dropFirst(key.count + 1)) }
  }

  /// The key of a `key=value` text.
  private static func key(_ text: String) -> String { String(text.prefix { $0 != "=" }) }

  private typealias Axis = (key: String, values: [String])

  /// The parts of a comma-separated list such as `--method kd,dkd`.
  package static func list(_ flag: String, _ text: String?) throws(SettingError) -> [String] {
    guard let text else { return [] }
    return try parts(of: text, by: ",", in: flag)
  }

  private static func axis(_ text: String) throws(SettingError) -> Axis {
    guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
      throw SettingError(
        .usage, "--vary \(text): expected KEY=VALUE,VALUE,… such as crld.tau_w=0.8,0.9")
    }
    let key = String(text[..<equals])
    let values = String(text[text.index(after: equals)...])
    let list = try parts(of: values, by: values.contains(";") ? ";" : ",", in: "--vary \(key)")
    var numbers: Set<Double> = []
    for text in list {
      guard let number = decimalNumber(text) else { continue }
      guard numbers.insert(number).inserted else {
        throw SettingError(.usage, "--vary \(key) names \(text) twice; name it once")
      }
    }
    return (key, list)
  }

  private static func parts(
    of text: String, by separator: Character, in flag: String
  ) throws(SettingError) -> [String] {
    let parts = text.split(separator: separator, omittingEmptySubsequences: false)
      .map { $0.trimmingCharacters(in: .whitespaces) }
    if parts.contains("") {
      throw SettingError(.usage, "\(flag) is \"\(text)\"; expected values parted by commas")
    }
    // 1 and 01 are one seed, kd and KD one method; two files are two files.
    let meant = parts.map { part in
      Int(part).map(String.init) ?? (part.contains { "/.".contains($0) } ? part : part.lowercased())
    }
    if let twice = zip(parts, meant).first(where: { _, one in meant.count { $0 == one } > 1 })?.0 {
      throw SettingError(.usage, "\(flag) names \(twice) twice; name it once")
    }
    return parts
  }

  private func check(_ axes: [Axis], _ given: [String]) throws(SettingError) {
    for (key, flag) in [
      ("seed", "--seeds"), ("method", "--method"), ("student", "--student"),
    ] where axes.contains(where: { $0.key == key }) {
      throw SettingError(.usage, "--vary \(key): use \(flag) with a list")
    }
    let keys = axes.map(\.key) + (seeds.isEmpty ? [] : ["seed"])
    if let both = keys.first(where: given.contains) {
      throw SettingError(.usage, "\(both) is set for all runs and varied; do one of the two")
    }
    if let twice = keys.first(where: { key in keys.count { $0 == key } > 1 }) {
      throw SettingError(.usage, "--vary names \(twice) twice; name it once")
    }
  }

  private static func recipeName(_ text: String) -> String {
    let file = text.split(separator: "/").last.map(String.init) ?? text
    return [".yaml", ".yml"].first(where: file.hasSuffix).map { String(file.dropLast($0.count)) }
      ?? file
  }

  /// What every shell and file system takes as it is.
  private static func folderName(_ text: String) -> String {
    let name = String(
      text.map { $0.isASCII && ($0.isLetter || $0.isNumber || "._=,:+-".contains($0)) ? $0 : "_" })
    return name.isEmpty ? "run" : name
  }
}

/// A run that is being put together: the parts of its name and what it is told.
private struct Combination {
  var parts: [String] = []
  var sets: [String] = []
}

extension [Combination] {
  /// Each of these with each of the values; themselves where there are none.
  ///
  /// - Parameter shown: what stands before the value in the name; nil for values that are not named.
  fileprivate func crossed(
    with values: [String], key: String, shown: String?
  ) -> [Combination] {
    guard !values.isEmpty else { return self }
    return flatMap { before in
      values.map { value in
        var next = before
        if let shown { next.parts.append(shown + value) }
        next.sets.append("\(key)=\(value)")
        return next
      }
    }
  }
}
