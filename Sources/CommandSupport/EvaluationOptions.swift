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
  @OptionGroup var network: NetworkOptions
  @Option(
    help: ArgumentHelp(
      "Folder with the data set's files, or its parent.",
      valueName: "dir"))
  var data: String
  @Flag(help: "Print one JSON object.")
  var json = false

  package init() {}

  /// Prints the accuracy of a weight file on the test set.
  package func evaluateAndPrint(_ path: String, on execution: Execution) throws {
    let (loaded, name) = try network.load(path)
    let test = try ImageDataset.loadTest(name, from: data)
    let progress = ProgressLine()
    let start = ContinuousClock.now
    let answers = try predict(
      loaded.network, on: test, info: name.info, normalization: loaded.normalization,
      execution: execution
    ) { progress.update($0, of: test.count, "images", since: start) }
    progress.clear()
    let accuracy = answers.accuracy
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
