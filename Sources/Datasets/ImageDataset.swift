/// A data set: its training and its test images.
package struct ImageDataset: Sendable {
  package let info: DatasetInfo
  package let train: ImageSet
  package let test: ImageSet

  /// Reads a data set from the folder with the publisher's files, or its parent.
  ///
  /// Throws `.missingFile`, `.permission`, and `.malformed` for files that are not exactly what
  /// the publisher's would be: cut off, too long, other numbers, labels out of range.
  package static func load(
    _ name: DatasetName, from directory: String
  ) throws(DatasetError) -> ImageDataset {
    ImageDataset(
      info: name.info, train: try loadTrain(name, from: directory),
      test: try loadTest(name, from: directory))
  }

  /// Reads only the training images.
  package static func loadTrain(
    _ name: DatasetName, from directory: String
  ) throws(DatasetError) -> ImageSet {
    switch name {
    case .cifar10: try CIFAR.ten().train(from: directory)
    case .cifar100: try CIFAR.hundred().train(from: directory)
    case .mnist, .fashionMNIST: try IDX(info: name.info).read("train", from: directory)
    }
  }

  /// Reads only the test images.
  package static func loadTest(
    _ name: DatasetName, from directory: String
  ) throws(DatasetError) -> ImageSet {
    switch name {
    case .cifar10: try CIFAR.ten().test(from: directory)
    case .cifar100: try CIFAR.hundred().test(from: directory)
    case .mnist, .fashionMNIST: try IDX(info: name.info).read("t10k", from: directory)
    }
  }
}
