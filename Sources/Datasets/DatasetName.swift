/// The data sets that can be read, by the names that commands and files use.
package enum DatasetName: String, CaseIterable, Sendable, Codable {
  case cifar10
  case cifar100
  case mnist
  case fashionMNIST = "fashion-mnist"
}

/// What is known about a data set before a file is opened.
package struct DatasetInfo: Sendable, Equatable {
  package let name: DatasetName
  package let classes: Int
  /// Pixels; images are height×width×3 bytes (gray images are copied to three channels).
  package let height: Int
  package let width: Int
  /// Black pixels around the image before a crop is cut.
  package let padding: Int
  /// Whether a weak view is mirrored with probability ½. A mirrored digit is no digit.
  package let flips: Bool
  /// The data set's normalisation constants per channel, for v/255 (methods.md §1.3, §2.3).
  package let mean: [Float]
  package let std: [Float]

  /// Bytes of one image: height·width·3.
  package var imageBytes: Int { height * width * 3 }

  /// Distinct weak views of one image: every crop, plain and, where allowed, mirrored.
  package var weakViews: Int {
    let offsets = 2 * padding + 1
    return offsets * offsets * (flips ? 2 : 1)
  }

  /// The versioned rule behind every kind of view. Other pixels are another version.
  package var augmentations: [String: String] {
    let weak = flips ? "cifar-crop-flip@1" : "digits-crop@1"
    let strong = flips ? "cifar-randaugment-cutout@1" : "digits-randaugment-cutout@1"
    return ["plain": "plain@1", "weak": weak, "crop": weak, "strong": strong]
  }

  /// The normalisation of the data set's own constants.
  package var normalization: Normalization { Normalization(knownMean: mean, knownStd: std) }
}

extension DatasetName {
  /// Classes, sizes, weak views and normalisation constants of the data set.
  package var info: DatasetInfo {
    switch self {
    case .cifar10:
      return DatasetInfo(
        name: self, classes: 10, height: 32, width: 32, padding: 4, flips: true,
        mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.2010])
    case .cifar100:
      return DatasetInfo(
        name: self, classes: 100, height: 32, width: 32, padding: 4, flips: true,
        mean: [0.5071, 0.4867, 0.4408], std: [0.2675, 0.2565, 0.2761])
    case .mnist:
      return DatasetInfo(
        name: self, classes: 10, height: 28, width: 28, padding: 2, flips: false,
        mean: [0.1307, 0.1307, 0.1307], std: [0.3081, 0.3081, 0.3081])
    case .fashionMNIST:
      return DatasetInfo(
        name: self, classes: 10, height: 28, width: 28, padding: 2, flips: false,
        mean: [0.2860, 0.2860, 0.2860], std: [0.3530, 0.3530, 0.3530])
    }
  }

  /// The data set of a name as typed; case does not matter.
  ///
  /// Throws `.usage` with the names there are.
  package init(parsing text: String) throws(DatasetError) {
    guard let name = DatasetName(rawValue: text.lowercased()) else {
      let names = Self.allCases.map(\.rawValue).joined(separator: ", ")
      throw DatasetError(.usage, "there is no data set \"\(text)\"; there are \(names)")
    }
    self = name
  }
}
