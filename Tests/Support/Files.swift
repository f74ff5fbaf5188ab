package import Foundation

/// Where the tests' files lie.
package enum Files {
  package static let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  /// The digits that the project ships.
  package static let digits = project.appendingPathComponent("data/mnist-5k").path
  /// Published weights, golden files and lists, beside the project.
  package static let reference = project.deletingLastPathComponent()
    .appendingPathComponent("shared")

  /// The folder with `cifar-100-binary` and `cifar-10-batches-bin`: CIFAR_ROOT, which has to hold both, or
  /// where tools/test unpacks them; nil where they are missing there.
  package static let cifar: URL? = {
    let given = ProcessInfo.processInfo.environment["CIFAR_ROOT"]
    let folder =
      given.map { URL(fileURLWithPath: $0) }
      ?? project.appendingPathComponent(".build/reference-data")
    let files = ["cifar-100-binary/test.bin", "cifar-10-batches-bin/test_batch.bin"]
    guard let absent = files.first(where: { !exists(folder.appendingPathComponent($0)) }) else {
      return folder
    }
    if given != nil { fatalError("CIFAR_ROOT is \(folder.path), which lacks \(absent)") }
    return nil
  }()

  package static func exists(_ url: URL) -> Bool {
    FileManager.default.fileExists(atPath: url.path)
  }
}
