// The settings, and the command that uses them again.

extension ReportPage {
  var configuration: Markup {
    section("Configuration", "\(differences)\(Markup(runs.map(repetition)))")
  }

  /// The settings in which the runs differ, one a row.
  private var differences: Markup {
    guard isComparison else { return .none }
    var keys: [String] = []
    for key in runs.flatMap({ $0.settings.map(\.key) }) where !keys.contains(key) {
      keys.append(key)
    }
    let rows = keys.compactMap { key -> [Markup]? in
      let values = runs.map { $0.setting(key) }
      guard Set(values).count > 1 else { return nil }
      return ["\(key)"] + values.map { "<td class=\"text wrap\">\($0 ?? "–")</td>" }
    }
    return rows.isEmpty
      ? "<p>All settings are equal.</p>\n"
      : table(["differs"] + runs.map(\.name), texts: Set(1...runs.count), rows)
  }

  private func repetition(_ run: RunRecord) -> Markup {
    let text: Markup = "<pre class=\"columns\">\(run.configuration)</pre>\n"
    return """
      \(heading(run))<p>This repeats the run:</p>
      <pre>\(Self.command(run))</pre>
      \(isComparison ? "<details><summary>config.yaml</summary>\n\(text)</details>\n" : text)
      """
  }

  /// Paths do not belong to a configuration; what they must lead to is said behind them.
  private static func command(_ run: RunRecord) -> String {
    let folder = folder(run.name)
    var lines = ["student-train --recipe \(shellWord(folder + "/config.yaml")) --data DIR \\"]
    var notes: [String] = []
    if let cache = run.setting("inputs.cache_id") {
      lines.append("              --cache CACHE \\")
      notes.append("CACHE: \(cache)")
    } else if let weights = run.setting("inputs.teacher_weights"), weights != "none" {
      lines.append("              --teacher FILE \\")
      for name in ["arch", "mean", "std"] {
        guard let value = run.setting("inputs.teacher_\(name)") else { continue }
        let text = value.filter { !"[] ".contains($0) }
        lines.append("              --teacher-\(name) \(shellWord(text)) \\")
      }
      notes.append("FILE: weights \(weights)")
    }
    if let weights = run.setting("inputs.initial_weights"), weights != "seed" {
      lines.append("              --init INITIAL \\")
      notes.append("INITIAL: weights \(weights)")
    }
    lines.append("              --output \(shellWord(sibling(of: folder)))")
    return (lines + notes.map { "# " + $0 }).joined(separator: "\n")
  }

  /// A run's folder without slashes and dots at the end that say nothing.
  private static func folder(_ name: String) -> String {
    var path = name.isEmpty ? "." : name
    while path.count > 1, path.hasSuffix("/") || path.hasSuffix("/.") { path.removeLast() }
    return path
  }

  /// A folder beside another one.
  private static func sibling(of folder: String) -> String {
    switch folder.split(separator: "/").last {
    case "." where folder == ".": "../again"
    case nil, "..": folder + "/../again"
    default: folder + "-again"
    }
  }
}
