import ArgumentParser
import CommandSupport
import Datasets
import Distillation
import Experiments
import FileIO
import Foundation
import Networks
import Reporting

struct Predict: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "What a network says about every image, as CSV or NumPy.",
    discussion: """
      A file that ends in .csv gets a line an image: its position in the split, the label, the \
      predicted class and its softmax probability. One that ends in .npy gets the logits, \
      N×classes in float32, in the same order.

      Examples:
        student-train predict runs/crld --data DIR --output test.csv
        student-train predict runs/crld --data DIR --split train --output logits.npy
      """)

  enum Split: String, ExpressibleByArgument, CaseIterable { case test, train }

  @OptionGroup var trained: TrainedNetworkOptions
  @Option(help: ArgumentHelp("Folder with the data set's files, or its parent.", valueName: "dir"))
  var data: String
  @Option(help: ArgumentHelp("test or train, plain views of either.", valueName: "name"))
  var split = Split.test
  @Option(help: ArgumentHelp("Where to write: FILE.csv or FILE.npy.", valueName: "file"))
  var output: String
  @OptionGroup var threads: ThreadOptions
  @Flag(help: "No progress on standard error.")
  var quiet = false

  func run() throws {
    let write = try writer()
    try AtomicFile.requireWritable(output)
    let (loaded, dataset) = try trained.load()
    let images =
      split == .test
      ? try ImageDataset.loadTest(dataset, from: data)
      : try ImageDataset.loadTrain(dataset, from: data)
    let progress = ProgressLine(quiet: quiet)
    let start = ContinuousClock.now
    let predictions = try predict(
      loaded.network, on: images, info: dataset.info, normalization: loaded.normalization,
      logitScale: loaded.logitScale, execution: try threads.makeExecution()
    ) { progress.update($0, of: images.count, "images", since: start) }
    progress.clear()
    try AtomicFile.write(write(predictions), to: output)
    printResult(
      "\(output): \(loaded.network.architecture) on \(grouped(images.count)) \(split.rawValue) "
        + "images of \(dataset.rawValue), top-1 \(String(format: "%.2f", predictions.accuracy.top1)) %"
    )
  }

  /// The kind of file that the name asks for.
  private func writer() throws -> (Predictions) -> [UInt8] {
    switch (output as NSString).pathExtension.lowercased() {
    case "csv": Self.table
    case "npy": { NumPyArray.file($0.logits, rows: $0.labels.count, columns: $0.classes) }
    default:
      throw Failure(
        Status.usage,
        "--output \(output): expected a name that ends in .csv (labels, predictions, confidences) "
          + "or .npy (logits)")
    }
  }

  private static func table(_ predictions: Predictions) -> [UInt8] {
    var text = "id,label,prediction,confidence\n"
    for (id, label) in predictions.labels.enumerated() {
      let confidence = String(format: "%.6f", predictions.confidence[id])
      text += "\(id),\(label),\(predictions.predicted[id]),\(confidence)\n"
    }
    return Array(text.utf8)
  }
}
