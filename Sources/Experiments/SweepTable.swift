import Foundation
import Reporting

/// What a run of a sweep came to.
package struct SweepOutcome: Sendable {
  package let run: SweepRun
  /// 0, or the code that the run ended with.
  package let status: Int32
  /// The numbers of its summary.json; empty for a run that failed.
  package let summary: [String: Double]

  /// - Parameter folder: that of the run.
  package init(_ run: SweepRun, status: Int32, folder: String) {
    self.run = run
    self.status = status
    let data = status == 0 ? FileManager.default.contents(atPath: folder + "/summary.json") : nil
    summary = data.flatMap(jsonNumbers)?.compactMapValues { $0 } ?? [:]
  }

  package init(_ run: SweepRun, status: Int32, summary: [String: Double]) {
    self.run = run
    self.status = status
    self.summary = summary
  }
}

/// Mean and sample standard deviation, Σ(x − mean)² / (n − 1) under the root; one value has none.
package struct Spread: Sendable, Equatable {
  package let mean: Double
  package let deviation: Double?

  /// nil without values.
  package init?(_ values: [Double]) {
    guard !values.isEmpty else { return nil }
    let mean = values.reduce(0, +) / Double(values.count)
    self.mean = mean
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    deviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : nil
  }
}

/// The one table of a sweep: a row for each combination, over its seeds.
package struct SweepTable: Sendable {
  package struct Row: Sendable {
    package let label: String
    /// Runs that finished, and all there are.
    package let finished: Int
    package let runs: Int
    /// By key of summary.json.
    package let values: [String: Spread]
  }

  package let rows: [Row]
  private let failures: [SweepOutcome]
  /// Key of summary.json, head, digits behind the point.
  private let columns: [(key: String, head: String, digits: Int)]

  package init(_ outcomes: [SweepOutcome]) {
    var labels: [String] = []
    for outcome in outcomes where !labels.contains(outcome.run.label) {
      labels.append(outcome.run.label)
    }
    let known: [(key: String, head: String, digits: Int)] = [
      ("test_top1_last", "last top-1", 2), ("test_top1_best", "best top-1", 2),
      ("many_top1", "many", 2), ("medium_top1", "medium", 2), ("few_top1", "few", 2),
      ("seconds", "seconds", 0),
    ]
    rows = labels.map { label in
      let own = outcomes.filter { $0.run.label == label }
      let finished = own.filter { $0.status == 0 }
      var values: [String: Spread] = [:]
      for column in known {
        values[column.key] = Spread(finished.compactMap { $0.summary[column.key] })
      }
      return Row(label: label, finished: finished.count, runs: own.count, values: values)
    }
    failures = outcomes.filter { $0.status != 0 }
    // What no run has, such as few-shot classes in a balanced set, needs no column.
    let rows = rows
    columns = known.filter { column in rows.contains { $0.values[column.key] != nil } }
  }

  /// A Markdown table, with the runs that failed below it.
  package var markdown: String {
    let heads = ["run", "runs"] + columns.map(\.head)
    var lines = ["| " + heads.joined(separator: " | ") + " |"]
    lines.append("|---" + String(repeating: "|---:", count: heads.count - 1) + "|")
    for row in rows {
      let cells = [row.label, count(row)] + columns.map { cell(row.values[$0.key], $0, "±") }
      lines.append(
        "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |")
    }
    if !failures.isEmpty { lines.append("") }
    for failure in failures { lines.append("Not in the table: " + Self.sentence(failure)) }
    return lines.joined(separator: "\n") + "\n"
  }

  /// Comma-separated values with full digits; empty where there is no value.
  package var csv: String {
    let heads = columns.flatMap { ["\($0.key)_mean", "\($0.key)_sd"] }
    var lines = [(["run", "runs", "failed"] + heads).joined(separator: ",")]
    for row in rows {
      let numbers = columns.flatMap { column -> [String] in
        let spread = row.values[column.key]
        return [spread.map { "\($0.mean)" } ?? "", spread?.deviation.map { "\($0)" } ?? ""]
      }
      let label = "\"" + row.label.replacing("\"", with: "\"\"") + "\""
      lines.append(
        ([label, String(row.runs), String(row.runs - row.finished)] + numbers)
          .joined(separator: ","))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A LaTeX `tabular` in the manner of booktabs.
  package var latex: String {
    var lines = ["% needs \\usepackage{booktabs}"]
    lines += failures.map { "% not in the table: " + Self.sentence($0) }
    lines += [
      "\\begin{tabular}{l\(String(repeating: "r", count: columns.count + 1))}", "\\toprule",
    ]
    lines.append((["run", "runs"] + columns.map(\.head)).joined(separator: " & ") + " \\\\")
    lines.append("\\midrule")
    for row in rows {
      let cells = columns.map { column in
        row.values[column.key].map { "$\(cell($0, column, "\\pm"))$" } ?? "--"
      }
      lines.append(
        ([Self.escaped(row.label), count(row)] + cells).joined(separator: " & ") + " \\\\")
    }
    lines += ["\\bottomrule", "\\end{tabular}"]
    return lines.joined(separator: "\n") + "\n"
  }

  private func count(_ row: Row) -> String {
    row.finished == row.runs ? "\(row.runs)" : "\(row.finished) of \(row.runs)"
  }

  private func cell(
    _ spread: Spread?, _ column: (key: String, head: String, digits: Int), _ sign: String
  ) -> String {
    guard let spread else { return "–" }
    let text = String(format: "%.\(column.digits)f", spread.mean)
    guard let deviation = spread.deviation else { return text }
    return "\(text) \(sign) \(String(format: "%.\(column.digits)f", deviation))"
  }

  private static func sentence(_ outcome: SweepOutcome) -> String {
    "\(outcome.run.name) ended with code \(outcome.status)"
  }

  private static func escaped(_ text: String) -> String {
    text.map { character in
      switch character {
      case "\\": "\\textbackslash{}"
      case "~": "\\textasciitilde{}"
      case "^": "\\textasciicircum{}"
      case "_", "%", "&", "#", "$", "{", "}": "\\\(character)"
      default: String(character)
      }
    }.joined()
  }
}
