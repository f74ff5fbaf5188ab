import Foundation

/// A new directory; all of them go away with the process, so that none goes while a path of it
/// is still in use.
package struct TemporaryDirectory: Sendable {
  package let path: String

  package init() throws {
    path = Self.root + "/\(UInt64.random(in: 0...(.max)))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  private static let root: String = {
    atexit { try? FileManager.default.removeItem(atPath: TemporaryDirectory.root) }
    let name = "teacher-cache-tests-\(ProcessInfo.processInfo.processIdentifier)"
    return FileManager.default.temporaryDirectory.appendingPathComponent(name).path
  }()
}
