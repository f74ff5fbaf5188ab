import Datasets
import FileIO
import Foundation

/// The images of a run that trains on all that its cache held when it began: a file in the run's
/// folder, one id a line as `--subset list:FILE` reads it, so that the same command goes on with
/// them although the cache has more by now.
enum RunImages {
  static let fileName = "images.txt"

  /// Keeps the images of a run, unless they are there.
  static func write(_ images: [Int], to folder: String) throws {
    let path = folder + "/" + fileName
    guard !FileManager.default.fileExists(atPath: path) else { return }
    try AtomicFile.write(Array(images.map { "\($0)\n" }.joined().utf8), to: path)
  }

  /// - Returns: the images of the run in a folder; nil where none are kept.
  static func read(from folder: String, labels: [Int], classes: Int) throws -> [Int]? {
    let path = folder + "/" + fileName
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    return try Subset.list(path).indices(labels: labels, classes: classes)
  }
}
