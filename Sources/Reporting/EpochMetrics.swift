package import Foundation

/// A line of metrics.jsonl, from 1, that cannot be read.
package struct MalformedLine: Error {
  package let number: Int
}

/// The numbers of one finished epoch: a line of metrics.jsonl.
package struct EpochMetrics: Sendable {
  /// From 1.
  package let epoch: Int
  /// What the line has, by name; what is null there is absent.
  package let values: [String: Double]
  /// All names of the line but `epoch`, null or not, sorted.
  package let names: [String]

  /// A line of the file; nil where it is no object with an epoch.
  init?(_ line: Data) {
    guard let found = jsonNumbers(line), let epoch = found["epoch"]?.flatMap({ Int(exactly: $0) })
    else { return nil }
    self.epoch = epoch
    values = found.compactMapValues { $0 }.filter { $0.key != "epoch" }
    names = found.keys.filter { $0 != "epoch" }.sorted()
  }

  /// The lines of a file; a last one that its writer has not ended yet is left out.
  package static func lines(of data: Data) throws(MalformedLine) -> [EpochMetrics] {
    let texts = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    var lines: [EpochMetrics] = []
    for (index, text) in texts.enumerated() where !text.isEmpty {
      if let metrics = EpochMetrics(text) {
        lines.append(metrics)
      } else if index < texts.count - 1 {
        throw MalformedLine(number: index + 1)
      }
    }
    return lines
  }

  /// What every run writes beside its loss terms and the accuracies.
  private static let figures: Set = [
    "loss", "lr", "images_per_second", "cache_wait_fraction", "seconds", "time",
  ]

  /// The split that a name begins with, such as `test` of `test_top1`; nil for other names.
  private static func split(of name: String) -> (split: String, rest: String)? {
    for split in ["train", "test", "val"] where name.hasPrefix(split + "_") {
      return (split, String(name.dropFirst(split.count + 1)))
    }
    return nil
  }

  /// Whether a name is one of the terms that add up to the loss.
  package static func isLossTerm(_ name: String) -> Bool {
    !figures.contains(name) && split(of: name) == nil && !name.contains("top")
  }

  /// The name under which TensorBoard shows a number; nil for what is no curve.
  static func tag(of name: String) -> String? {
    switch name {
    case "time", "seconds": nil
    case "lr": "lr"
    case "loss": "loss/total"
    case "images_per_second", "cache_wait_fraction": "speed/\(name)"
    case _ where isLossTerm(name): "loss/\(name)"
    default: accuracyTag(of: name)
    }
  }

  /// The averaged weights' accuracy stands beside that of the weights themselves.
  private static func accuracyTag(of name: String) -> String {
    let prefix = name.hasPrefix("ema_") ? "ema_" : ""
    guard let (split, rest) = split(of: String(name.dropFirst(prefix.count))) else {
      return "accuracy/\(name)"
    }
    return "\(split)/\(prefix)\(rest)"
  }

  /// The name of the column in summary.csv, as timm calls it: `train_…` for what is measured while
  /// training, `eval_…` on the test set.
  private static func column(of name: String) -> String {
    if name == "loss" || isLossTerm(name) { return "train_" + name }
    guard let (split, rest) = split(of: name) else { return name }
    return (split == "test" ? "eval" : split) + "_" + rest
  }

  /// The lines as a table with a header: epoch, train_…, eval_…, everything else by name, empty where
  /// there is no number. The first line says which columns there are.
  package static func table(_ lines: [EpochMetrics]) -> String {
    guard let first = lines.first else { return "" }
    let order = { (column: String) in
      column == "train_loss"
        ? 0 : column.hasPrefix("train_") ? 1 : column.hasPrefix("eval_") ? 2 : 3
    }
    let columns = first.names.map { (name: $0, column: column(of: $0)) }
      .sorted { (order($0.column), $0.column) < (order($1.column), $1.column) }
    var text = "epoch," + columns.map(\.column).joined(separator: ",") + "\n"
    for line in lines {
      let cells = columns.map { line.values[$0.name].map { "\($0)" } ?? "" }
      text += "\(line.epoch)," + cells.joined(separator: ",") + "\n"
    }
    return text
  }
}
