import Foundation
import Networks
package import Reporting

extension RunRecord {
  /// Reads what a run's folder holds; a run that is not finished has fewer files.
  ///
  /// - Parameter summary: of a run whose summary.json is not written yet.
  /// - Throws: `SettingError` for a folder without a run, ``RunError`` for damaged files.
  package init(directory: String, summary unwritten: JSONValue? = nil) throws {
    let contents = { (name: String) in try readIfPresent(directory + "/" + name) }
    guard let configuration = try contents("config.yaml") else {
      throw SettingError(
        .missingFile,
        "\(directory) holds no run: there is no config.yaml in it; give the --output of a "
          + "student-train")
    }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let data = try unwritten.map { Data($0.text.utf8) } ?? contents("summary.json")
    var summary = Summary()
    if let data {
      guard let found = try? decoder.decode(Summary.self, from: data) else {
        throw Self.damaged(directory + "/summary.json")
      }
      summary = found
    }
    var evaluation = RunEvaluation()
    if let data = try contents(RunEvaluation.name) {
      guard let found = RunEvaluation(json: data) else {
        throw Self.damaged("\(directory)/\(RunEvaluation.name)")
      }
      evaluation = found
    }
    let lines = try contents("metrics.jsonl") ?? Data()
    guard let metrics = try? EpochMetrics.lines(of: lines) else {
      throw Self.damaged(directory + "/metrics.jsonl")
    }
    self.init(
      name: directory, configuration: String(decoding: configuration, as: UTF8.self),
      metrics: metrics, summary: summary, evaluation: evaluation)
  }

  private static func damaged(_ path: String) -> RunError {
    RunError(
      .malformed,
      "\(path) is not what student-train writes; delete it, and the report goes without")
  }
}

/// The bytes of a file; nil where there is none, an error where it cannot be read.
func readIfPresent(_ path: String) throws -> Data? {
  do { return try Data(contentsOf: URL(fileURLWithPath: path)) } catch let error as CocoaError
    where error.code == .fileReadNoSuchFile
  {
    return nil
  }
}

extension RunDirectory {
  /// Writes evaluation.json and report.html, before the summary says that the run is finished.
  func writeReport(_ evaluation: RunEvaluation, summary: JSONValue) throws {
    try AtomicFile.write(evaluation.json(), to: "\(path)/\(RunEvaluation.name)")
    let record = try RunRecord(directory: path, summary: summary)
    try AtomicFile.write(ReportPage([record]).bytes, to: path + "/report.html")
  }
}
