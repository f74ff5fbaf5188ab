import Datasets
import Foundation
import TestSupport

/// The training images of the digits that the project ships.
enum Digits {
  static func train() throws -> ImageSet {
    try ImageDataset.loadTrain(.mnist, from: Files.digits)
  }
}
