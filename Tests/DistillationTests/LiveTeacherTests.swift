import Datasets
import Distillation
import Networks
import Tensors
import Testing

struct LiveTeacherTests {
  /// Weights may be finite and what they say not; a mask of such confidences would hide it.
  @Test func outputsThatAreNoNumbersStopTraining() throws {
    let network = try Architecture.make("resnet8", classes: 10)
    network.initialize(seed: 1)
    let execution = Execution(threads: 1)
    let teacher = LiveTeacher(
      network, normalization: try Normalization(mean: [0, 0, 0], std: [1, 1, 1]), height: 28,
      width: 28, on: execution)
    let batch = ViewBatch(
      keys: [4, 7].map { ViewKey(image: $0, view: .weak(0)) },
      renderer: ViewRenderer(
        images: try Digits.train(), info: DatasetName.mnist.info, seed: 0), on: execution)
    _ = try teacher.logits(batch)
    func fill(_ name: String, _ value: Float) throws {
      let weight = try #require(network.parameters.first { $0.name == name })
      weight.setState(weight.stateValues().map { _ in value })
    }
    try fill("fc.weight", 3e38)
    let error = #expect(throws: NonFiniteTeacher.self) { _ = try teacher.logits(batch) }
    #expect(error?.key == batch.keys[0])
    _ = try teacher.features(batch, taps: ["stage1"])
    try fill("layer1.0.bn1.weight", 1e4)
    try fill("layer1.0.bn2.weight", 3e38)
    let features = #expect(throws: NonFiniteTeacher.self) {
      _ = try teacher.features(batch, taps: ["stage1"])
    }
    #expect(features?.tap == "stage1")
  }

  /// Features of all stages cost one pass through the network, and are those of passes of their own.
  @Test func severalTapsTakeOnePass() throws {
    let images = try Digits.train()
    let network = try Architecture.make("resnet8", classes: 10)
    network.initialize(seed: 1)
    let clock = PhaseClock()
    let execution = Execution(threads: 1, clock: clock)
    let teacher = LiveTeacher(
      network, normalization: try Normalization(mean: [0, 0, 0], std: [1, 1, 1]), height: 28,
      width: 28,
      on: execution)
    let batch = ViewBatch(
      keys: (0..<3).map { ViewKey(image: $0, view: .weak(0)) },
      renderer: ViewRenderer(images: images, info: DatasetName.mnist.info, seed: 0), on: execution)
    func multiplyAdds() -> Int { clock.read().values.reduce(0) { $0 + $1.multiplyAdds } }
    let all = try teacher.features(batch, taps: ["stage1", "stage3"])
    let cost = multiplyAdds()
    let first = try teacher.features(batch, taps: ["stage1"])
    let alone = multiplyAdds() - cost
    let last = try teacher.features(batch, taps: ["stage3"])
    #expect(cost == multiplyAdds() - cost - alone)
    #expect(alone > 0 && alone < cost)
    #expect(all["stage1"]?.values == first["stage1"]?.values)
    #expect(all["stage3"]?.values == last["stage3"]?.values)
  }
}
