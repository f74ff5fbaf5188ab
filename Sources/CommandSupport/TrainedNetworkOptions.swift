import ArgumentParser
package import Datasets
package import Experiments
import Foundation
import Networks

/// A trained network, by its run's folder or its weight file, with what the file may not say.
package struct TrainedNetworkOptions: ParsableArguments {
  @Argument(help: ArgumentHelp("A run's folder or a .safetensors file.", valueName: "run|file"))
  var weights: String
  @OptionGroup var network: NetworkOptions

  package init() {}

  /// Reads the weights and says which data set they belong to.
  package func load() throws -> (network: LoadedNetwork, dataset: DatasetName) {
    try network.load(weightFile(of: weights))
  }
}

/// What the file of a network may not say.
package struct NetworkOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "cifar10, cifar100, mnist or fashion-mnist; default: what the weight file says.",
      valueName: "name"))
  var dataset: String?
  @Option(help: ArgumentHelp("The network, in place of what the file says.", valueName: "name"))
  var arch: String?
  @Option(
    help: ArgumentHelp("Its normalisation, in place of what the file says.", valueName: "r,g,b"))
  var mean: String?
  @Option(
    help: ArgumentHelp("Its normalisation, in place of what the file says.", valueName: "r,g,b"))
  var std: String?

  package init() {}

  /// The network of a weight file, and the data set that it belongs to.
  func load(_ path: String) throws -> (network: LoadedNetwork, dataset: DatasetName) {
    guard let text = try dataset ?? SafeTensors.read(path).metadata["dataset"] else {
      throw Failure(Status.usage, "\(path) does not say its data set; name it with --dataset")
    }
    if dataset == nil, DatasetName(rawValue: canonicalDataset(text)) == nil {
      throw Failure(
        Status.data,
        "\(path) was trained on \(text), which is no data set here; name the one that it fits with "
          + "--dataset")
    }
    let name = try DatasetName(parsing: canonicalDataset(text))
    let (mean, std) = try normalization("", mean: mean, std: std)
    let network = try LoadedNetwork(
      weights: path, architecture: arch, mean: mean, std: std, info: name.info)
    return (network, name)
  }
}

/// The weight file that a command means: a run's last checkpoint, or the file itself.
package func weightFile(of runOrFile: String) -> String {
  var isDirectory: ObjCBool = false
  let exists = FileManager.default.fileExists(atPath: runOrFile, isDirectory: &isDirectory)
  return exists && isDirectory.boolValue ? runOrFile + "/last.safetensors" : runOrFile
}
