import Foundation
import Networks
import Tensors
import TestSupport
import Testing

/// Weights that others trained and published, on the test images they were measured on.
@Suite(.enabled(if: Files.exists(Locations.weights), "needs ../shared/weights"), .serialized)
struct PublishedWeightsTests {
  struct Published: Sendable, CustomTestStringConvertible {
    let name: String
    let architecture: String
    let classes: Int
    let parameters: Int
    let images: String
    /// Label bytes of a record; the last one is the fine label.
    let labelBytes: Int
    let top1: Double

    var testDescription: String { name }

    static let all = [
      Published(
        name: "cifar100_resnet56", architecture: "resnet56", classes: 100, parameters: 861_620,
        images: "cifar-100-binary/test.bin", labelBytes: 2, top1: 72.63),
      Published(
        name: "cifar100_resnet20", architecture: "resnet20", classes: 100, parameters: 278_324,
        images: "cifar-100-binary/test.bin", labelBytes: 2, top1: 68.83),
      Published(
        name: "cifar10_resnet56_option_a", architecture: "resnet56_s", classes: 10,
        parameters: 853_018, images: "cifar-10-batches-bin/test_batch.bin", labelBytes: 1,
        top1: 93.39),
    ]

    func load() throws -> (network: Classifier, metadata: [String: String]) {
      let path = Locations.weights.appendingPathComponent("\(name).safetensors").path
      let file = try SafeTensors.read(path)
      let network = try Architecture.make(
        #require(file.metadata["architecture"]), classes: classes)
      try network.load(file, path: path)
      return (network, file.metadata)
    }

    /// `count` records from `first` on, normalised, and their labels.
    func batch(
      _ records: [UInt8], from first: Int, count: Int, metadata: [String: String]
    ) throws -> (images: Tensor, labels: [Int]) {
      let mean = try Self.numbers(metadata["mean"])
      let std = try Self.numbers(metadata["std"])
      let size = labelBytes + 3072
      var values = [Float](repeating: 0, count: count * 3072)
      var labels: [Int] = []
      for image in 0..<count {
        let start = (first + image) * size
        labels.append(Int(records[start + labelBytes - 1]))
        for channel in 0..<3 {
          for pixel in 0..<1024 {
            let byte = records[start + labelBytes + channel * 1024 + pixel]
            values[image * 3072 + pixel * 3 + channel] =
              (Float(byte) / 255 - mean[channel]) / std[channel]
          }
        }
      }
      return (Tensor(values, shape: [count, 32, 32, 3]), labels)
    }

    private static func numbers(_ text: String?) throws -> [Float] {
      try #require(text).split(separator: ",").compactMap { Float($0) }
    }

    func records() throws -> [UInt8] {
      try Array(Data(contentsOf: #require(Files.cifar).appendingPathComponent(images)))
    }
  }

  @Test(arguments: Published.all)
  func loadsWithItsMetadata(_ published: Published) throws {
    let (network, metadata) = try published.load()
    #expect(network.architecture == published.architecture)
    let count = network.parameters.reduce(0) { $0 + $1.stateShape.reduce(1, *) }
    #expect(count == published.parameters)
    #expect(metadata["measured_top1"] == "\(published.top1)")
  }

  @Test(
    .enabled(if: Files.cifar != nil, "needs CIFAR_ROOT or .build/reference-data"),
    arguments: Published.all)
  func givesTheReferenceLogits(_ published: Published) throws {
    let (network, metadata) = try published.load()
    let (images, _) = try published.batch(
      published.records(), from: 0, count: 256, metadata: metadata)
    let logits = try #require(
      network.forward(images, training: 0..<0, on: Execution(threads: 2)).logits)
    let url = Locations.weights.appendingPathComponent("\(published.name).test-logits-256.npy")
    let reference = try Data(contentsOf: url)
    // A NumPy file ends in its values: here 256×classes little-endian fp32.
    let expected = [UInt8](reference.suffix(256 * published.classes * 4)).withUnsafeBytes { raw in
      (0..<256 * published.classes).map {
        raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self)
      }
    }
    let worst = zip(logits.values, expected).map { abs($0 - $1) }.max() ?? .infinity
    #expect(worst < 1e-3)
    if ProcessInfo.processInfo.environment["SHOW_DEVIATIONS"] != nil {
      print(published.name, "largest logit difference", worst)
    }
  }

  @Test(
    .enabled(if: Files.cifar != nil, "needs CIFAR_ROOT or .build/reference-data"),
    arguments: Published.all)
  func hasThePublishedAccuracy(_ published: Published) throws {
    let (network, metadata) = try published.load()
    let records = try published.records()
    let execution = Execution(threads: 2)
    let size = 200
    var correct = 0
    for first in stride(from: 0, to: 10_000, by: size) {
      let (images, labels) = try published.batch(
        records, from: first, count: size, metadata: metadata)
      let logits = try #require(
        network.forward(images, training: 0..<0, on: execution).logits
      ).values
      for (image, label) in labels.enumerated() {
        let row = logits[image * published.classes..<(image + 1) * published.classes]
        if row.max() == row[row.startIndex + label] { correct += 1 }
      }
    }
    #expect(abs(Double(correct) / 100 - published.top1) <= 0.03)
  }
}
