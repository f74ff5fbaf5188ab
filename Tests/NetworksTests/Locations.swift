import Foundation

/// Where tests find their files: fixtures beside the tests, published weights beside the project.
enum Locations {
  static let fixtures = here.appendingPathComponent("Fixtures")
  static let project = here.deletingLastPathComponent().deletingLastPathComponent()
  static let weights = project.deletingLastPathComponent()
    .appendingPathComponent("shared/weights")

  /// The folder with `cifar-100-binary` and `cifar-10-batches-bin`, or nil.
  static let images: URL? = {
    let candidates =
      ProcessInfo.processInfo.environment["CIFAR_ROOT"].map { [URL(fileURLWithPath: $0)] }
      ?? [project.appendingPathComponent(".build/reference-data")]
    return candidates.first {
      exists($0.appendingPathComponent("cifar-100-binary/test.bin"))
        && exists($0.appendingPathComponent("cifar-10-batches-bin/test_batch.bin"))
    }
  }()

  static var hasWeights: Bool { exists(weights) }
  static var hasImages: Bool { images != nil }

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
