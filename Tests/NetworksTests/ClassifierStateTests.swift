import Crypto
import Foundation
import Networks
import TestSupport
import Testing

@Suite struct ClassifierStateTests {
  private static func network() throws -> Classifier {
    let network = try Architecture.make("resnet8", classes: 10)
    network.initialize(seed: 3)
    return network
  }

  /// The refusal of a file that differs from a sound one by `change`.
  private static func refusal(
    _ change: (inout SafeTensors) throws -> Void
  ) throws -> NetworkError {
    var file = try network().state()
    try change(&file)
    let target = try Architecture.make("resnet8", classes: 10)
    let before = target.weightHash
    let error = try #require(throws: NetworkError.self) { try target.load(file, path: "w.st") }
    #expect(target.weightHash == before, "a refused file must change nothing")
    #expect(error.kind == .mismatch)
    #expect(error.description.hasPrefix("w.st: "))
    return error
  }

  @Test func roundTripsThroughAFile() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path + "/w.safetensors"
    let network = try Self.network()
    network.buffers.first { $0.isInteger }?.values = [1234]
    let metadata = ["dataset": "cifar10", "mean": "0.4914,0.4822,0.4465"]
    try network.state(metadata: metadata).write(to: path)
    let other = try Architecture.make("resnet8", classes: 10)
    let file = try SafeTensors.read(path)
    try other.load(file, path: path)
    #expect(other.weightHash == network.weightHash)
    #expect(other.state(metadata: metadata).serialized() == file.serialized())
    #expect(
      file.metadata == [
        "architecture": "resnet8", "dataset": "cifar10", "format": "pt",
        "mean": "0.4914,0.4822,0.4465",
      ])
    #expect(file.tensors["bn1.num_batches_tracked"]?.integers == [1234])
    #expect(file.tensors["bn1.num_batches_tracked"]?.shape == [])
  }

  @Test(arguments: ["module.", "_orig_mod.", "_orig_mod.module."])
  func takesOffWrapperPrefixes(_ prefix: String) throws {
    let network = try Self.network()
    let plain = network.state()
    var wrapped = SafeTensors()
    for (name, tensor) in plain.tensors { wrapped.tensors[prefix + name] = tensor }
    let other = try Architecture.make("resnet8", classes: 10)
    try other.load(wrapped, path: "w")
    #expect(other.weightHash == network.weightHash)
  }

  @Test func takesAbsentAndOneElementBatchCounters() throws {
    let network = try Self.network()
    var file = network.state()
    for name in file.tensors.keys where name.hasSuffix("num_batches_tracked") {
      file.tensors[name] =
        name == "bn1.num_batches_tracked" ? StateTensor([Int64(5)], shape: [1]) : nil
    }
    let other = try Architecture.make("resnet8", classes: 10)
    try other.load(file, path: "w")
    #expect(other.weightHash == network.weightHash)
    #expect(other.buffers.first { $0.name == "bn1.num_batches_tracked" }?.values == [5])
  }

  /// A Float counts to 2²⁴; the file may hold any number.
  @Test func aHugeBatchCounterIsTakenAndWritten() throws {
    let network = try Self.network()
    var file = network.state()
    file.tensors["bn1.num_batches_tracked"] = StateTensor([Int64.max], shape: [])
    try network.load(file, path: "w")
    #expect(network.state().tensors["bn1.num_batches_tracked"]?.integers == [1 << 24])
  }

  @Test func takesOtherFloatWidths() throws {
    var file = try Self.network().state()
    file.tensors["fc.bias"] = StateTensor(
      dtype: .f16, shape: [10], bytes: [UInt8]([0x00, 0x3e] + [UInt8](repeating: 0, count: 18)))
    let other = try Architecture.make("resnet8", classes: 10)
    try other.load(file, path: "w")
    let bias = other.parameters.first { $0.name == "fc.bias" }?.stateValues()
    #expect(bias == [1.5] + [Float](repeating: 0, count: 9))
  }

  @Test func listsMissingAndUnexpectedNamesWithTheNearest() throws {
    let error = try Self.refusal {
      $0.tensors["linear.bias"] = $0.tensors.removeValue(forKey: "fc.bias")
    }
    #expect(error.description.contains("1 names missing (\"fc.bias\" (nearest: \"linear.bias\"))"))
    #expect(error.description.contains("1 unexpected (\"linear.bias\""))
    #expect(error.description.contains("resnet8 with 10 classes"))
  }

  @Test func refusesAFileWithMoreThanTheNetworkHas() throws {
    let error = try Self.refusal { $0.tensors["layer9.weight"] = $0.tensors["fc.bias"] }
    #expect(error.description.contains("0 names missing, 1 unexpected (\"layer9.weight\")"))
  }

  @Test func namesTheShapesThatDiffer() throws {
    let error = try Self.refusal { file in
      let wide = try Architecture.make("resnet8", classes: 100)
      file.tensors["fc.weight"] = wide.state().tensors["fc.weight"]
    }
    #expect(error.description.contains("\"fc.weight\" has shape [100, 64]"))
    #expect(error.description.contains("needs [10, 64]"))
  }

  @Test func refusesValuesThatNoNetworkCanUse() throws {
    func bias(_ value: Float, _ name: String = "fc.bias", count: Int = 10) throws -> String {
      try Self.refusal { file in
        var values = [Float](repeating: 1, count: count)
        values[7] = value
        file.tensors[name] = StateTensor(values, shape: [count])
      }.description
    }
    #expect(try bias(.nan).contains("\"fc.bias\" holds nan at element 7"))
    #expect(try bias(.infinity).contains("holds inf at element 7"))
    #expect(try bias(-1, "bn1.running_var", count: 16).contains("the variance -1.0 at element 7"))
  }

  @Test func refusesIntegersNegativeCountersAndDoubleNames() throws {
    let integers = try Self.refusal {
      $0.tensors["fc.bias"] = StateTensor([Int64](repeating: 0, count: 10), shape: [10])
    }
    #expect(integers.description.contains("holds I64, expected floating point"))
    let counter = try Self.refusal {
      $0.tensors["bn1.num_batches_tracked"] = StateTensor([Int64(-1)], shape: [])
    }
    #expect(counter.description.contains("non-negative integer"))
    let double = try Self.refusal { $0.tensors["module.fc.bias"] = $0.tensors["fc.bias"] }
    #expect(double.description.contains("comes twice"))
  }

  /// The hash spelt out again, so that no change of the code can change it unseen.
  @Test func hashesSortedNamesShapesAndBytes() throws {
    let network = try Self.network()
    var bytes = Data()
    let tensors = network.state().tensors
      .filter { !$0.key.hasSuffix("num_batches_tracked") }
      .sorted { $0.key < $1.key }
    for (name, tensor) in tensors {
      bytes.append(Data(name.utf8) + [0])
      bytes.append(Data(tensor.shape.map { "\($0)" }.joined(separator: ",").utf8) + [0])
      bytes.append(Data(tensor.bytes))
    }
    let digest = SHA256.hash(data: bytes).map { String(format: "%02x", $0) }.joined()
    #expect(network.weightHash == digest)
    network.buffers.first { $0.isInteger }?.values = [9]
    #expect(network.weightHash == digest, "counters change no answer")
    network.buffers.first?.values[0] += 1
    #expect(network.weightHash != digest)
  }
}
