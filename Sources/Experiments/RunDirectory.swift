import FileIO
import Foundation
package import Networks
package import Reporting
import TeacherCache

/// An output directory that cannot be used as asked.
package struct RunError: Error, CustomStringConvertible, Sendable {
  package enum Kind: Sendable {
    /// The directory holds a run of another configuration.
    case otherConfiguration
    /// Another process trains in this directory.
    case locked
    case cannotCreate, diskFull, permission
    /// A file of the run is damaged.
    case malformed
  }
  package let kind: Kind
  package let description: String

  package init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}

/// The files of one run. Every file is whole or absent; metrics.jsonl is cut back to the last
/// checkpoint when a run goes on.
package final class RunDirectory {
  package enum Progress {
    case fresh
    /// A run of the same configuration stopped here.
    case started(SafeTensors)
    case finished
  }

  package let path: String
  package let progress: Progress
  /// nil in a finished run, which nobody writes to and which may lie on read-only media.
  private let lock: Int32?

  package var lastWeights: String { path + "/last.safetensors" }
  package var bestWeights: String { path + "/best.safetensors" }
  /// The moving average of the weights, in a run that keeps one.
  package var averageWeights: String { path + "/ema.safetensors" }
  package var statePath: String { path + "/state.safetensors" }
  private var metricsPath: String { path + "/metrics.jsonl" }
  private var summaryPath: String { path + "/summary.json" }

  /// Makes the directory, or opens one that holds a run of exactly this configuration.
  package init(_ path: String, configuration: RunConfiguration) throws {
    self.path = path
    try makeDirectory(path)
    if try Self.holds(configuration, path), Self.has("summary.json", path) {
      guard Self.has("last.safetensors", path) else {
        throw RunError(
          .malformed,
          "\(path) holds a finished run without last.safetensors; put the file back from a copy, or "
            + "delete the folder to begin again")
      }
      (lock, progress) = (nil, .finished)
      return
    }
    let descriptor = try Self.takeLock(path)
    do {
      // Under the lock once more: another process may have begun a run, or have finished this one.
      if try !Self.holds(configuration, path) {
        try AtomicFile.write(Array(configuration.yaml.utf8), to: path + "/config.yaml")
      }
      if Self.has("summary.json", path) {
        progress = .finished
      } else if Self.has("state.safetensors", path) {
        progress = .started(try SafeTensors.read(path + "/state.safetensors"))
      } else {
        progress = .fresh
      }
    } catch {
      close(descriptor)
      throw error
    }
    lock = descriptor
  }

  deinit {
    guard let lock else { return }
    flock(lock, LOCK_UN)  // a child between fork and exec would hold on to it
    close(lock)
  }

  /// Fails where the folder could not become or be that of a run of this configuration; makes nothing.
  package static func check(_ path: String, for configuration: RunConfiguration) throws {
    if try isDirectory(path) {
      _ = try holds(configuration, path)
      return
    }
    var parent = folder(of: path)
    while try !isDirectory(parent) { parent = folder(of: parent) }
    guard access(parent, W_OK | X_OK) == 0 else { throw uncreatable(path, code: errno) }
  }

  /// Refuses one folder for a run and for the cache that it fills.
  static func requireOther(_ path: String, than cache: String) throws(RunError) {
    let folders = [path, cache].map { URL(fileURLWithPath: $0).standardizedFileURL.path }
    guard folders[0] != folders[1] else {
      throw RunError(.cannotCreate, "\(path) is the folder of the cache; choose another --output")
    }
  }

  /// Whether a process trains in this folder.
  package static func isBusy(_ path: String) -> Bool {
    let descriptor = open(path + "/.lock", O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return isLocked(descriptor)
  }

  /// Refuses the folder of a run or of a cache for the output of something else.
  package static func requireOther(_ path: String) throws(RunError) {
    try requireNoCache(path)
    guard has("config.yaml", path) else { return }
    throw RunError(.cannotCreate, "\(path) holds a run; choose another --output")
  }

  private static func requireNoCache(_ path: String) throws(RunError) {
    guard has(CacheManifest.fileName, path) else { return }
    throw RunError(.cannotCreate, "\(path) is a teacher cache; choose another --output")
  }

  /// Whether the folder holds a run of this configuration; false where it holds none.
  private static func holds(_ configuration: RunConfiguration, _ path: String) throws -> Bool {
    guard let data = try readIfPresent(path + "/config.yaml") else {
      try requireNoCache(path)
      if let file = fileNames.first(where: { has($0, path) }) {
        throw RunError(
          .cannotCreate,
          "\(path) holds \(file), but no config.yaml that says of which run it is; choose another "
            + "--output, or put that file back from a copy")
      }
      return false
    }
    let found = String(decoding: data, as: UTF8.self)
    if let difference = configuration.firstDifference(from: found) {
      throw RunError(
        .otherConfiguration,
        "\(path) holds a run with \(difference.field) = \(difference.there); this one has "
          + "\(difference.here); choose another --output, or delete the folder to begin again")
    }
    return true
  }

  private static func has(_ name: String, _ path: String) -> Bool {
    FileManager.default.fileExists(atPath: path + "/" + name)
  }

  /// What a run writes beside config.yaml; a folder without that file must have none of these.
  private static let fileNames = [
    "state.safetensors", "last.safetensors", "best.safetensors", "ema.safetensors",
    "metrics.jsonl", "summary.json", "summary.csv", "evaluation.json", "report.html",
    RunImages.fileName,
  ]

  /// Keeps the first `epochs` lines of metrics.jsonl: those that the checkpoint knows of.
  package func keepMetrics(epochs: Int) throws {
    let data = try readIfPresent(metricsPath) ?? Data()
    let lines = String(decoding: data, as: UTF8.self).split(separator: "\n").prefix(epochs)
    guard lines.count == epochs else {
      throw RunError(
        .malformed,
        "\(metricsPath) tells of \(lines.count) epochs, the checkpoint is behind epoch \(epochs); "
          + "put the file back from a copy, or delete the run's folder to begin again")
    }
    let text = lines.map { $0 + "\n" }.joined()
    try AtomicFile.write(Array(text.utf8), to: metricsPath)
    try refreshLogs()
  }

  /// Adds an epoch's line to metrics.jsonl.
  ///
  /// - Throws: where it cannot be written.
  package func appendMetrics(_ line: JSONValue) throws {
    try AtomicFile.append(Array((line.text + "\n").utf8), to: metricsPath)
    try refreshLogs()
  }

  /// The metrics of the finished epochs, oldest first.
  package func metrics() throws -> [EpochMetrics] { try readMetrics(metricsPath) }

  /// The text of summary.json, in a finished run.
  package func summary() throws -> String {
    String(decoding: try readIfPresent(summaryPath) ?? Data(), as: UTF8.self)
  }

  /// Writes summary.json, which says that the run is finished: whole or not at all.
  ///
  /// - Throws: where it cannot be written.
  package func writeSummary(_ summary: JSONValue) throws {
    try AtomicFile.write(Array((summary.lines + "\n").utf8), to: summaryPath)
  }

  /// One run at a time in a directory; the lock goes with the process, however it ends.
  private static func takeLock(_ path: String) throws -> Int32 {
    let file = path + "/.lock"
    let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FileError(writing: file, code: errno) }
    let code = FileIO.takeLock(descriptor)
    guard code == 0 else {
      close(descriptor)
      guard code == EWOULDBLOCK else { throw FileError(writing: file, code: code) }
      throw RunError(
        .locked,
        "\(path): another student-train works in this directory; wait for it, or choose "
          + "another --output")
    }
    return descriptor
  }
}

/// Whether a directory is there, not nothing; fails for a file, and for no name.
private func isDirectory(_ path: String) throws(RunError) -> Bool {
  guard !path.isEmpty else { throw RunError(.cannotCreate, "the output directory has no name") }
  var isDirectory: ObjCBool = false
  guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
    return false
  }
  guard isDirectory.boolValue else {
    throw RunError(.cannotCreate, "\(path) is a file; choose another directory")
  }
  return true
}

/// Makes a directory and those above it; one that exists is left alone.
package func makeDirectory(_ path: String) throws {
  if try isDirectory(path) { return }
  do { try makeFolder(path) } catch {
    _ = try isDirectory(error.path)
    throw uncreatable(error.path, code: error.code)
  }
}

private func uncreatable(_ path: String, code: Int32) -> RunError {
  let kind: RunError.Kind =
    switch code {
    case EACCES, EPERM, EROFS: .permission
    case ENOSPC, EDQUOT: .diskFull
    default: .cannotCreate
    }
  return RunError(kind, "\(path): cannot be created: \(String(cString: strerror(code)))")
}
