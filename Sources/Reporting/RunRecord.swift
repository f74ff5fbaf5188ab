import Foundation

/// Everything that a report says about one run.
package struct RunRecord: Sendable {
  /// summary.json, as far as a report needs it; a run that is not finished has none.
  package struct Summary: Codable, Sendable {
    package var method: String?
    package var student: String?
    package var epochs: Int?
    package var parameters: Int?
    package var trainingImages: Int?
    package var testTop1Last: Double?
    package var testTop5Last: Double?
    package var testTop1Best: Double?
    package var manyTop1: Double?
    package var mediumTop1: Double?
    package var fewTop1: Double?
    package var seconds: Double?
    package var imagesPerSecond: Double?

    package init() {}
  }

  package let name: String
  package let configuration: String  // config.yaml
  package let metrics: [EpochMetrics]
  package let summary: Summary
  package let evaluation: RunEvaluation

  package init(
    name: String, configuration: String, metrics: [EpochMetrics], summary: Summary,
    evaluation: RunEvaluation
  ) {
    self.name = name
    self.configuration = configuration
    self.metrics = metrics
    self.summary = summary
    self.evaluation = evaluation
  }

  /// The lines of the configuration as (key, value).
  var settings: [(key: String, value: String)] { configurationFields(configuration) }

  func setting(_ key: String) -> String? { settings.first { $0.key == key }?.value }

  var method: String { summary.method ?? setting("method") ?? "?" }
  var student: String { summary.student ?? setting("student") ?? "?" }
  var dataset: String { setting("dataset") ?? "?" }
  /// The values of one number, epoch by epoch, where there is one.
  func points(_ name: String) -> [LineChart.Point] {
    metrics.compactMap { line in
      line.values[name].map { LineChart.Point(x: Double(line.epoch), y: $0) }
    }
  }
  /// The names of the numbers that any epoch has.
  var names: [String] { Array(Set(metrics.flatMap(\.values.keys))).sorted() }
}

/// The lines of a config.yaml as (key, value); keys of a section begin with its name and a point.
package func configurationFields(_ yaml: String) -> [(key: String, value: String)] {
  var section = ""
  return yaml.split(separator: "\n").compactMap { line in
    guard let colon = line.firstIndex(of: ":") else { return nil }
    let key = line[..<colon].drop { $0 == " " }
    let value = line[line.index(after: colon)...].drop { $0 == " " }
    if value.isEmpty {
      section = String(key)
      return nil
    }
    return (line.hasPrefix(" ") ? "\(section).\(key)" : String(key), String(value))
  }
}
