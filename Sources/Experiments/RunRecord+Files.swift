import FileIO
import Foundation
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
    self.init(
      name: directory, configuration: String(decoding: configuration, as: UTF8.self),
      metrics: try readMetrics(directory + "/metrics.jsonl"), summary: summary,
      evaluation: evaluation)
  }

  private static func damaged(_ path: String) -> RunError {
    RunError(
      .malformed,
      "\(path) is not what student-train writes; delete it, and the report goes without")
  }
}

/// The bytes of a file; nil where there is none, an error where it cannot be read.
func readIfPresent(_ path: String) throws(RunError) -> Data? {
  if let data = FileManager.default.contents(atPath: path) { return data }
  if access(path, R_OK) == 0 { throw RunError(.malformed, "\(path) is no file") }
  guard errno == EACCES else { return nil }
  throw RunError(.permission, "\(path) cannot be read; ask its owner")
}

/// The lines of a metrics.jsonl; none where there is no such file.
func readMetrics(_ path: String) throws(RunError) -> [EpochMetrics] {
  let data = try readIfPresent(path) ?? Data()
  do throws(MalformedLine) { return try EpochMetrics.lines(of: data) } catch {
    throw RunError(
      .malformed,
      "\(path): line \(error.number) is no JSON object with an epoch; restore the file, or delete the "
        + "run's folder to begin again")
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
