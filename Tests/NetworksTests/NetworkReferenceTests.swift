import Foundation
import Networks
import Tensors
import Testing

/// Every family against PyTorch in fp64: outputs, gradients, three or ten steps of SGD.
///
/// Tolerances come from the fixture's `spread`, the largest deviation of PyTorch's own fp32 from
/// its fp64: four times that, because another order of summation rounds differently, and at least
/// `floor`, which is wider where Winograd's transforms round too. Deviations are relative to the
/// root mean square of the array. What the steps changed is
/// held to 5e-3: there single ReLUs fall on the other side of zero, which moved PyTorch's own fp32
/// by up to 1.2e-3. Running statistics are held to 1e-5: means are small beside the values that
/// they sum up, so rounding weighs more in them.
@Suite struct NetworkReferenceTests {
  private static let margin = 4.0
  private static func floor(_ kind: String, _ method: ConvolutionMethod?) -> Double {
    switch kind {
    case "trained.changes": 5e-3
    case "training.statistics", "trained.statistics": method == .direct ? 1e-5 : 2e-5
    default: method == .direct ? 1e-6 : 4e-6
    }
  }
  /// The direct kernels alone, which add in PyTorch's way, and what runs by default.
  private static let methods: [ConvolutionMethod?] = [.direct, nil]

  private struct Run {
    let fixture: NetworkFixture
    let network: Classifier
    let method: ConvolutionMethod?
    let execution: Execution

    init(_ name: String, _ method: ConvolutionMethod?) throws {
      self.method = method
      execution = Execution(threads: 2, convolutions: method)
      fixture = try NetworkFixture.load(name)
      network = try Architecture.make(fixture.architecture, classes: fixture.classes)
      try network.load(fixture.weights, path: name)
    }

    /// Compares one array with the result `kind`.
    func expect(_ kind: String, _ found: [Float]) throws {
      try expect(kind, ["": found])
    }

    /// Compares arrays by name with the results "\(kind).NAME".
    func expect(_ kind: String, _ found: [String: [Float]]) throws {
      let tolerance = try max(
        NetworkReferenceTests.margin * #require(fixture.spread[kind]),
        NetworkReferenceTests.floor(kind, method))
      let prefix = found.keys.contains("") ? kind : kind + "."
      let expected = fixture.results.filter { $0.key.hasPrefix(prefix) }
      #expect(!expected.isEmpty && expected.count == found.count)
      let sizes = found.mapValues { Double($0.count).squareRoot() }
      let scales = Dictionary(
        uniqueKeysWithValues: try expected.map { key, sample in
          let name = String(key.dropFirst(prefix.count))
          return (name, sample.norm / (try #require(sizes[name])))
        })
      let largest = scales.values.max() ?? 0
      var worst = 0.0
      for (key, sample) in expected {
        let name = String(key.dropFirst(prefix.count))
        let values = try #require(found[name])
        let scale = max(scales[name] ?? 0, fixture.floor(kind, name))
        let deviation = sample.deviation(
          values, scale: scale < 1e-6 * largest ? largest : scale,
          isTypical: kind == "trained.changes", limit: fixture.samples)
        #expect(deviation <= tolerance, "\(kind) of \(name)")
        worst = max(worst, deviation)
      }
      if ProcessInfo.processInfo.environment["SHOW_DEVIATIONS"] != nil {
        print(fixture.architecture, kind, worst, "of", tolerance)
      }
    }

    func gradients() -> [String: [Float]] {
      Dictionary(uniqueKeysWithValues: network.parameters.map { ($0.name, $0.stateGradient()) })
    }

    func statistics() -> [String: [Float]] {
      Dictionary(
        uniqueKeysWithValues: network.buffers.filter { !$0.isInteger }.map { ($0.name, $0.values) })
    }

    var allParts: Range<Int> { 0..<network.partCount }

    /// The mean cross-entropy and its gradient at the logits, in double precision.
    func crossEntropy(_ logits: Tensor) -> (loss: Double, gradient: Tensor) {
      let (n, c) = (fixture.batch, fixture.classes)
      let values = logits.values.map(Double.init)
      var gradient = [Float](repeating: 0, count: n * c)
      var loss = 0.0
      for i in 0..<n {
        let row = values[i * c..<(i + 1) * c]
        let largest = row.max() ?? 0
        let sum = row.reduce(0) { $0 + exp($1 - largest) }
        let label = fixture.labels[i]
        loss -= (values[i * c + label] - largest - log(sum)) / Double(n)
        for k in 0..<c {
          let probability = exp(values[i * c + k] - largest) / sum
          gradient[i * c + k] = Float((probability - (k == label ? 1 : 0)) / Double(n))
        }
      }
      return (loss, Tensor(gradient, shape: [n, c]))
    }
  }

  @Test(arguments: NetworkFixture.names, methods)
  func answersAsPyTorchDoesInInference(_ name: String, _ method: ConvolutionMethod?) throws {
    let run = try Run(name, method)
    let output = run.network.forward(
      run.fixture.imageTensor, training: 0..<0, keeping: Set(run.network.taps), on: run.execution)
    try run.expect("inference.logits", #require(output.logits).values)
    try run.expect("inference.taps", output.features.mapValues(\.values))
    for (tap, height, width, channels) in run.network.tapShapes(
      height: run.fixture.side, width: run.fixture.side)
    {
      #expect(output.features[tap]?.shape == [run.fixture.batch, height, width, channels])
    }
  }

  @Test(arguments: NetworkFixture.names, methods)
  func hasThePyTorchGradientsInTraining(_ name: String, _ method: ConvolutionMethod?) throws {
    let run = try Run(name, method)
    let output = run.network.forward(
      run.fixture.imageTensor, training: run.allParts, keeping: Set(run.network.taps),
      on: run.execution)
    let logits = try #require(output.logits)
    try run.expect("training.logits", logits.values)
    try run.expect("training.taps", output.features.mapValues(\.values))
    let (_, gradient) = run.crossEntropy(logits)
    run.network.backward(logits: gradient, features: [:], on: run.execution)
    try run.expect("training.gradients", run.gradients())
    try run.expect("training.statistics", run.statistics())
  }

  @Test(arguments: NetworkFixture.names, methods)
  func addsGradientsInjectedAtTheTaps(_ name: String, _ method: ConvolutionMethod?) throws {
    let run = try Run(name, method)
    let output = run.network.forward(
      run.fixture.imageTensor, training: run.allParts, keeping: Set(run.network.taps),
      on: run.execution)
    let (_, gradient) = run.crossEntropy(try #require(output.logits))
    let injected = output.features.map { tap, feature in
      let values = NetworkFixture.formula("tap:\(tap)", count: feature.count, scale: 1e-3)
      return (tap, Tensor(values, shape: feature.shape))
    }
    run.network.backward(
      logits: gradient, features: Dictionary(uniqueKeysWithValues: injected), on: run.execution)
    try run.expect("injected.gradients", run.gradients())
  }

  @Test(arguments: NetworkFixture.names, methods)
  func followsStepsOfPyTorchSGD(_ name: String, _ method: ConvolutionMethod?) throws {
    let run = try Run(name, method)
    let start = Dictionary(
      uniqueKeysWithValues: run.network.parameters.map { ($0.name, $0.stateValues()) })
    let sgd = SGD(run.network.parameters, momentum: 0.9, weightDecay: 5e-4)
    let images = run.fixture.imageTensor
    var losses: [Float] = []
    for _ in 0..<run.fixture.steps {
      let output = run.network.forward(images, training: run.allParts, on: run.execution)
      let (loss, gradient) = run.crossEntropy(try #require(output.logits))
      losses.append(Float(loss))
      run.network.backward(logits: gradient, features: [:], on: run.execution)
      sgd.step(learningRate: 1e-4, on: run.execution)
    }
    try run.expect("trained.losses", losses)
    try run.expect("trained.statistics", run.statistics())
    let changes = try run.network.parameters.map { parameter in
      let before = try #require(start[parameter.name])
      return (parameter.name, zip(parameter.stateValues(), before).map { $0 - $1 })
    }
    try run.expect("trained.changes", Dictionary(uniqueKeysWithValues: changes))
  }
}
