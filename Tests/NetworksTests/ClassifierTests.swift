import Networks
import Tensors
import Testing

/// Training some parts of a network and not others.
@Suite struct ClassifierTests {
  private let execution = Execution(threads: 2)
  private let network: Classifier
  private let fixture: NetworkFixture
  private let images: Tensor

  init() throws {
    fixture = try NetworkFixture.load("resnet8")
    network = try Architecture.make(fixture.architecture, classes: fixture.classes)
    try network.load(fixture.weights, path: "resnet8")
    images = fixture.imageTensor
  }

  private func gradients(ofPart part: Int) -> [[Float]] {
    network.parameters(ofPart: part).map { $0.stateGradient() }
  }

  private func isZero(_ arrays: [[Float]]) -> Bool {
    arrays.allSatisfy { $0.allSatisfy { $0 == 0 } }
  }

  private func ones(_ shape: [Int]?) throws -> Tensor {
    let shape = try #require(shape)
    return Tensor([Float](repeating: 1, count: shape.reduce(1, *)), shape: shape)
  }

  @Test func trainsOneStageAndLeavesTheOthersFrozen() throws {
    let before = network.buffers.map(\.values)
    let output = network.forward(
      images, training: 1..<2, through: 1, keeping: ["stage2"], on: execution)
    #expect(output.logits == nil)
    let feature = try #require(output.features["stage2"])
    #expect(feature.shape == [4, 16, 16, 32])
    network.backward(logits: nil, features: ["stage2": try ones(feature.shape)], on: execution)
    #expect(isZero(gradients(ofPart: 0)))
    #expect(!gradients(ofPart: 1).contains { isZero([$0]) })
    #expect(isZero(gradients(ofPart: 2)) && isZero(gradients(ofPart: 3)))
    for (buffer, old) in zip(network.buffers, before) {
      #expect((buffer.values != old) == buffer.name.hasPrefix("layer2."), "\(buffer.name)")
    }
  }

  @Test func runsFrozenStagesAsInferenceDoes() throws {
    let inference = network.forward(images, training: 0..<0, keeping: ["stage1"], on: execution)
    let training = network.forward(
      images, training: 1..<2, through: 1, keeping: ["stage1"], on: execution)
    #expect(inference.features["stage1"]?.values == training.features["stage1"]?.values)
  }

  @Test func trainsTheHeadAlone() throws {
    let output = network.forward(images, training: 3..<4, on: execution)
    network.backward(
      logits: try ones(output.logits?.shape), features: [:], on: execution)
    for part in 0..<3 { #expect(isZero(gradients(ofPart: part))) }
    // d(sum of logits)/d(bias) = the batch size.
    #expect(gradients(ofPart: 3).last == [Float](repeating: 4, count: 100))
    network.zeroGradients()
    #expect(isZero(gradients(ofPart: 3)))
  }

  @Test func assumesAZeroGradientWhereNoneIsGiven() throws {
    let output = network.forward(images, training: 0..<4, keeping: ["stage1"], on: execution)
    network.backward(
      logits: nil, features: ["stage1": try ones(output.features["stage1"]?.shape)],
      on: execution)
    #expect(!isZero(gradients(ofPart: 0)))
    #expect(isZero(gradients(ofPart: 1)) && isZero(gradients(ofPart: 3)))
  }

  @Test func takesTwoForwardsBackInReverse() throws {
    func backward(_ views: [Tensor]) throws -> [[Float]] {
      network.zeroGradients()
      let outputs = views.map { network.forward($0, training: 0..<4, on: execution) }
      for output in outputs.reversed() {
        network.backward(logits: try ones(output.logits?.shape), features: [:], on: execution)
      }
      return network.parameters.map { $0.stateGradient() }
    }
    let other = Tensor(images.values.map { -0.5 * $0 }, shape: images.shape)
    let (first, second) = try (backward([images]), backward([other]))
    let both = try backward([images, other])
    for (sum, (a, b)) in zip(both, zip(first, second)) {
      let scale = max(1e-3, (zip(a, b).map { max(abs($0), abs($1)) }.max() ?? 0))
      for (x, (y, z)) in zip(sum, zip(a, b)) { #expect(abs(x - (y + z)) <= 1e-5 * scale) }
    }
  }

  @Test func givesTheSameBitsForAnyNumberOfThreads() throws {
    func run(_ threads: Int) throws -> ([Float], String) {
      let execution = Execution(threads: threads)
      let network = try Architecture.make("resnet8", classes: 100)
      try network.load(fixture.weights, path: "resnet8")
      let output = network.forward(images, training: 0..<4, on: execution)
      let logits = try #require(output.logits)
      network.backward(logits: logits, features: [:], on: execution)
      SGD(network.parameters, momentum: 0.9, weightDecay: 5e-4)
        .step(learningRate: 0.1, on: execution)
      return (logits.values, network.weightHash)
    }
    let one = try run(1)
    let three = try run(3)
    #expect(one.0 == three.0)
    #expect(one.1 == three.1)
  }

  @Test func refusesGradientsOfPartsThatWereNotTrained() async {
    await #expect(processExitsWith: .failure) {
      let network = try Architecture.make("resnet8", classes: 10)
      network.initialize(seed: 1)
      let execution = Execution(threads: 1)
      let images = Tensor.zeros([1, 32, 32, 3], in: execution.memory)
      _ = network.forward(images, training: 1..<2, through: 1, on: execution)
      let gradient = Tensor.zeros([1, 32, 32, 16], in: execution.memory)
      network.backward(logits: nil, features: ["stage1": gradient], on: execution)
    }
    await #expect(processExitsWith: .failure) {
      let network = try Architecture.make("resnet8", classes: 10)
      network.backward(logits: nil, features: [:], on: Execution(threads: 1))
    }
  }
}
