import ArgumentParser
import Datasets
import Distillation
import Experiments
import Foundation
import Networks
import Reporting
package import Tensors

/// The flags of both programs' `eval`.
package struct EvaluationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "cifar10, cifar100, mnist or fashion-mnist; default: what the weight file says.",
      valueName: "name"))
  var dataset: String?
  @Option(
    help: ArgumentHelp(
      "Folder with the data set's files, or its parent.",
      valueName: "dir"))
  var data: String
  @Option(help: ArgumentHelp("The network, if the file does not say.", valueName: "name"))
  var arch: String?
  @Option(help: ArgumentHelp("Its normalisation, if the file does not say.", valueName: "r,g,b"))
  var mean: String?
  @Option(help: ArgumentHelp("Its normalisation, if the file does not say.", valueName: "r,g,b"))
  var std: String?
  @Flag(help: "Print one JSON object.")
  var json = false

  package init() {}

  /// Prints the accuracy of a weight file on the test set.
  package func evaluateAndPrint(_ path: String, on execution: Execution) throws {
    guard let text = try dataset ?? SafeTensors.read(path).metadata["dataset"] else {
      throw Failure(Status.usage, "\(path) does not say its data set; name it with --dataset")
    }
    let name = try DatasetName(parsing: canonicalDataset(text))
    let (mean, std) = try normalization("", mean: mean, std: std)
    let loaded = try LoadedNetwork(
      weights: path, architecture: arch, mean: mean, std: std, info: name.info)
    let test = try ImageDataset.loadTest(name, from: data)
    let start = ContinuousClock.now
    let accuracy = try evaluate(
      loaded.network, on: test, info: name.info, normalization: loaded.normalization,
      execution: execution)
    let seconds = (ContinuousClock.now - start).seconds
    let rate = Double(accuracy.images) / seconds
    if json {
      printResult(
        JSONValue.object([
          ("top1", .number(accuracy.top1)), ("top5", .number(accuracy.top5)),
          ("images", .integer(accuracy.images)), ("images_per_second", .number(rate)),
        ]).text)
    } else {
      printResult(
        "\(loaded.network.architecture) on the test set of \(name.rawValue): "
          + "top-1 \(String(format: "%.2f", accuracy.top1)) %, "
          + "top-5 \(String(format: "%.2f", accuracy.top5)) % "
          + "(\(grouped(accuracy.images)) images, \(grouped(Int(rate))) images/s)")
    }
  }
}
