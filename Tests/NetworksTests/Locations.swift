import Foundation

/// Where tests find their files: fixtures beside the tests, published weights beside the project.
enum Locations {
  static let fixtures = here.appendingPathComponent("Fixtures")
  static let project = here.deletingLastPathComponent().deletingLastPathComponent()
  static let weights = project.deletingLastPathComponent()
    .appendingPathComponent("shared/weights")

  static var hasWeights: Bool { exists(weights) }

  static func exists(_ url: URL) -> Bool { FileManager.default.fileExists(atPath: url.path) }

  private static let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
}

/// A folder that goes away with the value.
final class TemporaryFolder {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory
      .appendingPathComponent("networks-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
