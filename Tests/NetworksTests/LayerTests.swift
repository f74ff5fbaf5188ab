import Foundation
import Networks
import Tensors
import TestSupport
import Testing

/// What PyTorch computed for one layer (tools/reference/layers.py).
struct LayerFixture: Decodable {
  let name: String
  let shape: [Int]
  let outputShape: [Int]
  /// Element counts, in the order of the layer's parameters and buffers.
  let parameters: [Int]
  let buffers: [Int]
  let inference: Int

  static let directory = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "Fixtures")

  /// The fixture of this name and its numbers: output, input gradient, parameter gradients,
  /// buffers, output in inference mode.
  static func read(_ name: String) throws -> (LayerFixture, [[Float]]) {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let index = try decoder.decode(
      [LayerFixture].self, from: Data(contentsOf: directory.appending(path: "layers.json")))
    let data = try Data(contentsOf: directory.appending(path: "layers.f32"))
    let numbers = data.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    var offset = 0
    for fixture in index {
      let count = fixture.outputShape.reduce(1, *)
      let counts =
        [count, fixture.shape.reduce(1, *)] + fixture.parameters + fixture.buffers
        + [fixture.inference]
      if fixture.name == name {
        var start = offset
        return (
          fixture,
          counts.map { count in
            defer { start += count }
            return Array(numbers[start..<(start + count)])
          }
        )
      }
      offset += counts.reduce(0, +)
    }
    throw CocoaError(.fileReadCorruptFile)
  }
}

/// The largest difference over the largest expected magnitude, which counts as `least` or more.
func relativeError(_ found: [Float], _ expected: [Float], least: Double = 1e-3) -> Double {
  guard found.count == expected.count else { return .infinity }
  let scale = expected.reduce(least) { max($0, abs(Double($1))) }
  return zip(found, expected).reduce(0) { max($0, abs(Double($1.0) - Double($1.1))) } / scale
}

private func largest(_ values: some Sequence<Float>) -> Double {
  values.reduce(0) { max($0, abs(Double($1))) }
}

@Suite struct LayerTests {
  let execution = Execution(threads: 2)

  @Test("A layer computes what PyTorch computes", arguments: LayerCases.names)
  func computesWhatPyTorchComputes(_ name: String) throws {
    let (fixture, expected) = try LayerFixture.read(name)
    let layer = try LayerCases.make(name)
    let x = patternTensor(fixture.shape, seed: 7)
    let y = layer.forward(x, mode: .training, on: execution)
    #expect(y.shape == fixture.outputShape)
    #expect(relativeError(y.values, expected[0]) < 2e-6, "output")
    let gradient = patternTensor(fixture.outputShape, seed: 11)
    let inputGradient = layer.backward(gradient, on: execution)
    #expect(inputGradient.shape == fixture.shape)
    #expect(relativeError(inputGradient.values, expected[1]) < 5e-6, "input gradient")
    let gradients = expected[2..<(2 + fixture.parameters.count)]
    // Some are zero but for rounding: a bias before a convolution and a batch norm changes nothing.
    let least = largest(gradients.joined()) / 100
    for (parameter, expected) in zip(layer.parameters, gradients) {
      #expect(
        relativeError(parameter.stateGradient(), expected, least: least) < 5e-6,
        "gradient of \(parameter.name)")
    }
    let buffers = layer.buffers.filter { !$0.isInteger }
    for (index, buffer) in buffers.enumerated() {
      #expect(
        relativeError(buffer.values, expected[2 + fixture.parameters.count + index]) < 2e-6,
        "\(buffer.name)")
    }
    let inference = layer.forward(x, mode: .inference, on: execution)
    #expect(relativeError(inference.values, expected[expected.count - 1]) < 5e-6, "inference")
  }

  /// Central differences of Σ output · weights, summed in double precision.
  @Test("A layer's gradients are the slopes of its output", arguments: LayerCases.names)
  func gradientsAreSlopes(_ name: String) throws {
    let (fixture, _) = try LayerFixture.read(name)
    let layer = try LayerCases.make(name)
    let values = pattern(fixture.shape.reduce(1, *), seed: 7)
    let weights = patternTensor(fixture.outputShape, seed: 11)
    let weightValues = weights.values
    func objective(_ x: [Float]) -> Double {
      let y = layer.forward(Tensor(x, shape: fixture.shape), mode: .training, on: execution)
      let sum = zip(y.values, weightValues).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
      _ = layer.backward(weights, on: execution)
      return sum
    }
    _ = layer.forward(Tensor(values, shape: fixture.shape), mode: .training, on: execution)
    for parameter in layer.parameters { parameter.zeroGradient() }
    let inputGradient = layer.backward(weights, on: execution).values
    let gradients = layer.parameters.map { $0.stateGradient() }
    // The step is small against the 1/1009 between values, so that no maximum changes its place.
    let step: Float = 1 / 4096
    func check(_ gradient: [Float], at index: Int, of what: String, _ slope: (Float) -> Double) {
      let measured = (slope(step) - slope(-step)) / (2 * Double(step))
      let scale = max(0.1, largest(gradient), largest(gradients.joined()) / 10)
      #expect(abs(measured - Double(gradient[index])) < 0.02 * scale, "\(what)[\(index)]")
    }
    for index in stride(from: 0, to: values.count, by: max(1, values.count / 23)) {
      check(inputGradient, at: index, of: "input") { delta in
        var moved = values
        moved[index] += delta
        return objective(moved)
      }
    }
    for (parameter, gradient) in zip(layer.parameters, gradients) {
      let state = parameter.stateValues()
      for index in stride(from: 0, to: state.count, by: max(1, state.count / 11)) {
        check(gradient, at: index, of: parameter.name) { delta in
          var moved = state
          moved[index] += delta
          parameter.setState(moved)
          defer { parameter.setState(state) }
          return objective(values)
        }
      }
    }
  }

  @Test("Results are the same bits for one, two and three threads", arguments: LayerCases.names)
  func sameBitsForAnyThreadCount(_ name: String) throws {
    var shape = try LayerFixture.read(name).0.shape
    shape[0] = 19
    let results = try [1, 2, 3].map { threads in
      let execution = Execution(threads: threads)
      let layer = try LayerCases.make(name)
      let y = layer.forward(patternTensor(shape, seed: 7), mode: .training, on: execution)
      let dx = layer.backward(patternTensor(y.shape, seed: 11), on: execution)
      let others = layer.parameters.flatMap { $0.stateGradient() } + layer.buffers.flatMap(\.values)
      return y.values + dx.values + others
    }
    #expect(sameBits(results[0], results[1]))
    #expect(sameBits(results[0], results[2]))
  }

  @Test("In inference an image's bits depend on no other image", arguments: LayerCases.names)
  func sameBitsAtAnyBatchPosition(_ name: String) throws {
    let shape = try LayerFixture.read(name).0.shape
    let layer = try LayerCases.make(name)
    let size = shape.dropFirst().reduce(1, *)
    let images = pattern(7 * size, seed: 7)
    func run(_ order: [Int]) -> [[Float]] {
      let values = order.flatMap { images[($0 * size)..<(($0 + 1) * size)] }
      let x = Tensor(values, shape: [order.count] + shape.dropFirst())
      let y = layer.forward(x, mode: .inference, on: execution)
      let count = y.count / order.count
      let all = y.values
      return order.indices.map { Array(all[($0 * count)..<(($0 + 1) * count)]) }
    }
    let alone = (0..<7).map { run([$0])[0] }
    for order in [[4, 2], [3, 0, 6, 1, 5], [0, 1, 2, 3, 4, 5, 6]] {
      #expect(sameBits(run(order).joined(), order.flatMap { alone[$0] }))
    }
  }

  @Test("Two forwards are undone by two backwards, last in, first out", arguments: LayerCases.names)
  func twoForwardsTwoBackwards(_ name: String) throws {
    let shape = try LayerFixture.read(name).0.shape
    let (layer, apart) = (try LayerCases.make(name), try LayerCases.make(name))
    let views = [patternTensor(shape, seed: 7), patternTensor(shape, seed: 8)]
    let outputs = views.map { layer.forward($0, mode: .training, on: execution) }
    let gradients = outputs.indices.map { patternTensor(outputs[$0].shape, seed: 11 + $0) }
    let second = layer.backward(gradients[1], on: execution)
    let first = layer.backward(gradients[0], on: execution)
    for (index, gradient) in [(1, second), (0, first)] {
      _ = apart.forward(views[index], mode: .training, on: execution)
      let expected = apart.backward(gradients[index], on: execution)
      #expect(sameBits(gradient.values, expected.values))
    }
    for (together, alone) in zip(layer.parameters, apart.parameters) {
      #expect(sameBits(together.stateGradient(), alone.stateGradient()))
    }
  }
}
