import Foundation
import Networks
import Tensors
import Testing

/// Networks as ONNX files: their structure, and what ONNX Runtime makes of them.
struct OnnxTests {
  /// A network whose batch norms have seen a batch, so that none of them is the identity.
  private static func network(_ name: String, size: Int) throws -> (Classifier, Tensor, [Float]) {
    let network = try Architecture.make(name, classes: 10)
    network.initialize(seed: 3)
    let execution = Execution(threads: 2)
    var random = RandomStream(key: 7, stream: (1, 2, 3))
    let values = (0..<(4 * size * size * 3)).map { _ in Float(random.normal()) }
    let images = Tensor(values, shape: [4, size, size, 3])
    _ = network.forward(images, training: 0..<network.partCount, on: execution)
    let output = network.forward(images, training: 0..<0, on: execution)
    return (network, images, try #require(output.logits).values)
  }

  /// Every node's inputs are given before it, every name once; arrays have the state dict's names.
  @Test(arguments: Architecture.names) func theGraphIsSound(name: String) throws {
    let network = try Architecture.make(name, classes: 10)
    network.initialize(seed: 0)
    let file = network.onnx(height: 32, width: 32, metadata: ["dataset": "cifar10"])
    let model = WireMessage(file)
    #expect(model.integers(1) == [7])
    #expect(model.messages(8).flatMap { $0.integers(2) } == [13])
    let graph = try #require(model.messages(7).first)
    #expect(graph.messages(11).flatMap { $0.texts(1) } == ["images"])
    #expect(graph.messages(12).flatMap { $0.texts(1) } == ["logits"])
    let arrays = graph.messages(5).flatMap { $0.texts(8) }
    var known = Set(arrays + ["images"])
    #expect(known.count == arrays.count + 1)
    for node in graph.messages(1) {
      for input in node.texts(1) { #expect(known.contains(input), "\(input)") }
      for output in node.texts(2) { #expect(known.insert(output).inserted, "\(output)") }
    }
    #expect(known.contains("logits"))
    let state = network.state().tensors.keys.filter { !$0.hasSuffix("num_batches_tracked") }
    #expect(arrays.filter { !$0.hasPrefix("constant_") }.sorted() == state.sorted())
    let metadata = model.messages(14).map { $0.texts(1) + $0.texts(2) }
    #expect(metadata == [["architecture", name], ["dataset", "cifar10"]])
  }

  /// ONNX Runtime's logits against ours, relative to their root mean square, for every network and
  /// for the other sizes of images that there are.
  @Test(.enabled(if: Python.hasOnnxRuntime, "needs Python with onnx and onnxruntime"))
  func theLogitsAreThoseOfOnnxRuntime() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("onnx-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    var jobs = Architecture.names.map { ($0, 32) }
    jobs += [("vgg8", 28), ("vgg8", 64), ("resnet8", 28), ("resnet20_s", 28), ("ShuffleV1", 28)]
    jobs += [("ShuffleV2", 28), ("MobileNetV2", 28), ("wrn_16_1", 28)]
    for (name, size) in jobs {
      let (network, images, logits) = try Self.network(name, size: size)
      let file = folder.appendingPathComponent("\(name)-\(size).onnx")
      try Data(network.onnx(height: size, width: size, metadata: [:])).write(to: file)
      let values = images.values + logits
      try values.withUnsafeBytes { try Data($0).write(to: file.appendingPathExtension("f32")) }
    }
    let result = try Python.run(Self.check, [folder.path])
    #expect(result.status == 0, "\(result.output)")
    #expect(result.output.split(separator: "\n").count == jobs.count, "\(result.output)")
  }

  private static let check = """
    import pathlib, sys
    import numpy, onnx, onnxruntime
    worst = 0
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.onnx")):
        size = int(path.stem.split("-")[-1])
        onnx.checker.check_model(str(path), full_check=True)
        values = numpy.fromfile(str(path) + ".f32", "<f4")
        count = 4 * size * size * 3
        images = values[:count].reshape(4, size, size, 3).transpose(0, 3, 1, 2).copy()
        expected = values[count:].reshape(4, 10)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        for rows in (4, 1):  # any batch size
            found = session.run(["logits"], {"images": images[:rows]})[0]
            scale = numpy.sqrt(numpy.mean(expected ** 2))
            error = numpy.abs(found - expected[:rows]).max() / scale
            worst = max(worst, error)
        print(path.stem, error)
        if not error < 1e-4:
            sys.exit(f"{path.stem}: {error}")
    """
}

/// A protobuf message as fields, read without knowing what they mean.
struct WireMessage {
  private var fields: [(number: Int, integer: Int?, bytes: [UInt8])] = []

  init(_ data: [UInt8]) {
    var rest = data[...]
    func varint() -> Int {
      var (value, shift) = (0, 0)
      while let byte = rest.popFirst() {
        value |= Int(byte & 127) << shift
        shift += 7
        if byte < 128 { break }
      }
      return value
    }
    while !rest.isEmpty {
      let key = varint()
      switch key & 7 {
      case 0: fields.append((key >> 3, varint(), []))
      case 2:
        let count = varint()
        fields.append((key >> 3, nil, Array(rest.prefix(count))))
        rest = rest.dropFirst(count)
      case let kind: rest = rest.dropFirst(kind == 1 ? 8 : 4)
      }
    }
  }

  func integers(_ number: Int) -> [Int] {
    fields.compactMap { $0.number == number ? $0.integer : nil }
  }
  func messages(_ number: Int) -> [WireMessage] {
    fields.filter { $0.number == number }.map { WireMessage($0.bytes) }
  }
  func texts(_ number: Int) -> [String] {
    fields.filter { $0.number == number }.map { String(decoding: $0.bytes, as: UTF8.self) }
  }
}

/// The Python on the search path.
enum Python {
  static let hasOnnxRuntime = (try? run("import onnx, onnxruntime, numpy", []).status) == 0

  static func run(_ script: String, _ arguments: [String]) throws -> (status: Int32, output: String)
  {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["python3", "-c", script] + arguments
    // A file: a pipe's reader traps when a signal interrupts it.
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("python-\(UUID().uuidString).txt").path
    try Data().write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let output = FileHandle(forWritingAtPath: path)
    process.standardOutput = output
    process.standardError = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    let text = FileManager.default.contents(atPath: path) ?? Data()
    return (process.terminationStatus, String(decoding: text, as: UTF8.self))
  }
}
