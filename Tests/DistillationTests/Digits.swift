import Datasets
import Foundation

/// The training images of the digits that the project ships.
enum Digits {
  static func train() throws -> ImageSet {
    let project = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    return try ImageDataset.loadTrain(
      .mnist, from: project.appendingPathComponent("data/mnist-5k").path)
  }
}
