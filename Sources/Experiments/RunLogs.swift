import FileIO
import Foundation
import Reporting

extension RunDirectory {
  /// Makes summary.csv and the TensorBoard file say exactly what metrics.jsonl says.
  ///
  /// Both are pure functions of it, so whatever a killed run left behind is put right. A program that
  /// is reading along keeps its place: lines are added at the end, or cut off there.
  func refreshLogs() throws {
    let lines = try metrics()
    let configuration = FileManager.default.contents(atPath: path + "/config.yaml") ?? Data()
    try Self.update(path + "/summary.csv", to: Array(EpochMetrics.table(lines).utf8))
    try Self.update(
      path + "/" + EventFile.name,
      to: EventFile.bytes(lines, configuration: String(decoding: configuration, as: UTF8.self)))
  }

  /// Brings a file to `bytes` by the least change: nothing, an end added or cut off, else all of it.
  private static func update(_ path: String, to bytes: [UInt8]) throws {
    let found = [UInt8](FileManager.default.contents(atPath: path) ?? Data())
    if found == bytes { return }
    let common = min(found.count, bytes.count)
    guard common > 0, found.prefix(common) == bytes.prefix(common) else {
      return try AtomicFile.write(bytes, to: path)
    }
    try AtomicFile.append(Array(bytes.dropFirst(common)), to: path, behind: common)
  }
}
