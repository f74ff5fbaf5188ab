import ArgumentParser
import CommandSupport
import Datasets
import Experiments
import FileIO
import Foundation
import Networks
import Reporting

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a network as an ONNX file.",
    discussion: """
      The graph takes `images`, N×3×H×W floats that were normalised, and gives `logits`, \
      N×classes; N is free. Its metadata holds mean and std of the normalisation (of values \
      in 0…1), architecture and data set. Arrays keep their state-dict names. A normalised \
      classifier, as LDAM trains, gives cosines there, which logit_scale of the metadata \
      turns into logits.

      Example:
        student-train export runs/crld --onnx student.onnx
      """)

  @OptionGroup var trained: TrainedNetworkOptions
  @Option(help: ArgumentHelp("Where to write.", valueName: "file"))
  var onnx: String

  func run() throws {
    guard (onnx as NSString).pathExtension.lowercased() == "onnx" else {
      // Most often a slip: the name of the weights themselves.
      throw Failure(Status.usage, "--onnx \(onnx): expected a name that ends in .onnx")
    }
    let (loaded, dataset) = try trained.load()
    let (network, info) = (loaded.network, dataset.info)
    let values = { (channels: [Float]) in channels.map { "\($0)" }.joined(separator: ",") }
    var metadata = [
      "dataset": dataset.rawValue, "mean": values(loaded.normalization.mean),
      "std": values(loaded.normalization.std),
    ]
    if network.givesCosines { metadata[LoadedNetwork.logitScaleKey] = "\(loaded.logitScale)" }
    let bytes = network.onnx(height: info.height, width: info.width, metadata: metadata)
    try AtomicFile.write(bytes, to: onnx)
    printResult(
      "\(onnx): \(network.architecture), images N×3×\(info.height)×\(info.width) to logits "
        + "N×\(network.classes), \(bytesText(bytes.count))")
  }
}
