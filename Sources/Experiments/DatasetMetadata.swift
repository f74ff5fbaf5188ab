import Datasets

/// The data set's name as `--dataset` takes it, for a weight file's metadata such as "CIFAR-100".
package func canonicalDataset(_ text: String) -> String {
  let letters = text.lowercased().filter { $0.isLetter || $0.isNumber }
  return DatasetName.allCases.map(\.rawValue)
    .first { $0.filter { $0.isLetter || $0.isNumber } == letters } ?? text
}
