import Networks
import Tensors
import Testing

@Suite struct PhaseCountTests {
  /// The images/s at which these networks would need 234 GF/s, worked out by hand from the taps inside
  /// the image, a multiply-add being two operations.
  @Test(arguments: [
    ("resnet20", true, 1052.0), ("wrn_16_2", true, 423.0), ("resnet32x4", true, 39.6),
    ("resnet56", false, 1025.0), ("wrn_40_2", false, 393.0),
  ])
  func everyMultiplyAddOfAStepIsCounted(name: String, trains: Bool, limit: Double) throws {
    let clock = PhaseClock()
    let execution = Execution(threads: 1, clock: clock)
    let network = try Architecture.make(name, classes: 100)
    network.initialize(seed: 1)
    let images = Tensor.zeros([1, 32, 32, 3], in: execution.memory)
    clock.reset()
    _ = network.forward(
      images, training: 0..<(trains ? network.partCount : 0), on: execution)
    if trains { network.backward(logits: nil, features: [:], on: execution) }
    let multiplyAdds = clock.read().values.reduce(0) { $0 + $1.multiplyAdds }
    let operations = 2 * Double(multiplyAdds) * 1e-9
    let rate = 234 / operations
    #expect(abs(rate / limit - 1) < 0.003, "\(rate) images/s")
  }
}
