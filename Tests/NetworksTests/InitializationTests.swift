import Networks
import Testing

@Suite struct InitializationTests {
  private static func network(_ name: String, seed: UInt64 = 7) throws -> Classifier {
    let network = try Architecture.make(name, classes: 100)
    network.initialize(seed: seed)
    return network
  }

  private static func values(_ network: Classifier, _ name: String) throws -> [Double] {
    let parameter = try #require(network.parameters.first { $0.name == name })
    return parameter.stateValues().map(Double.init)
  }

  private static func deviation(_ values: [Double]) -> Double {
    (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
  }

  /// The variance each rule prescribes, as numerator and denominator with the fans written out.
  @Test(
    arguments: [
      ("resnet32x4", "layer3.1.conv1.weight", 2, 256 * 9),
      ("resnet32x4", "layer2.0.downsample.0.weight", 2, 128),
      ("wrn_40_2", "block3.layer.0.conv1.weight", 2, 128 * 9),
      ("vgg13", "block3.0.weight", 2, 512 * 9),
      ("vgg13", "classifier.weight", 1, 10_000),
      ("resnet32_s", "layer3.0.conv1.weight", 2, 32 * 9),
      ("resnet32_s", "linear.weight", 2, 64),
      // The fan of a depthwise convolution counts all its outputs.
      ("MobileNetV2", "blocks.6.0.conv.3.weight", 2, 480 * 9),
      ("MobileNetV2", "classifier.0.weight", 1, 10_000),
      ("ResNet18", "layer4.0.shortcut.0.weight", 2, 512),
      ("ResNet50", "layer1.0.conv3.weight", 2, 256),
      // Uniform in ±1/√fan_in has the deviation 1/√(3 fan_in).
      ("ResNet18", "linear.weight", 1, 3 * 512),
      ("ShuffleV1", "layer3.1.conv1.weight", 1, 3 * 960 / 3),
      ("ShuffleV1", "layer3.1.conv2.weight", 1, 3 * 9),
      ("ShuffleV2", "layer3.0.conv5.weight", 1, 3 * 232),
      ("ShuffleV2", "linear.weight", 1, 3 * 1024),
      ("resnet32x4", "fc.weight", 1, 3 * 256),
      ("wrn_40_2", "fc.weight", 1, 3 * 128),
    ] as [(String, String, Double, Double)])
  func drawsWithTheDeviationOfTheRule(
    _ network: String, _ name: String, _ numerator: Double, _ denominator: Double
  ) throws {
    let expected = (numerator / denominator).squareRoot()
    let values = try Self.values(Self.network(network), name)
    let count = Double(values.count)
    // Six standard errors of a normal sample's deviation and mean.
    #expect(abs(Self.deviation(values) / expected - 1) < 6 / (2 * count).squareRoot())
    #expect(abs(values.reduce(0, +) / count) < 6 * expected / count.squareRoot())
  }

  @Test func drawsUniformWeightsInsideTheirBounds() throws {
    let network = try Self.network("resnet32x4")
    for name in ["fc.weight", "fc.bias"] {
      let values = try Self.values(network, name)
      #expect(values.allSatisfy { abs($0) <= 1 / 16 })
      #expect(values.contains { abs($0) > 0.9 / 16 })
    }
    #expect(try Self.values(Self.network("resnet32_s"), "linear.bias").contains { $0 != 0 })
    #expect(try Self.values(Self.network("ShuffleV1"), "linear.bias").contains { $0 != 0 })
  }

  @Test func startsBatchNormsAtOneAndTheRightBiasesAtZero() throws {
    let network = try Self.network("vgg8")
    #expect(try Self.values(network, "block0.1.weight").allSatisfy { $0 == 1 })
    #expect(try Self.values(network, "block0.1.bias").allSatisfy { $0 == 0 })
    #expect(try Self.values(network, "block0.0.bias").allSatisfy { $0 == 0 })
    #expect(try Self.values(network, "classifier.bias").allSatisfy { $0 == 0 })
    for (name, bias) in [("wrn_16_1", "fc.bias"), ("MobileNetV2", "classifier.0.bias")] {
      #expect(try Self.values(Self.network(name), bias).allSatisfy { $0 == 0 })
    }
    for buffer in network.buffers {
      #expect(buffer.values.allSatisfy { $0 == (buffer.name.hasSuffix("_var") ? 1 : 0) })
    }
  }

  /// As the LDAM code: `weight.uniform_(-1, 1).renorm_(2, 1, 1e-5).mul_(1e5)` of features × classes.
  @Test func drawsUnitColumnsOfUniformNumbersForANormedClassifier() throws {
    let (features, classes) = (64, 100)
    let values = try Self.values(Self.network("resnet32_s_normed"), "linear.weight")
    let count = Double(features * classes)
    #expect(values.count == features * classes)
    for column in 0..<classes {
      let own = stride(from: column, to: values.count, by: classes).map { values[$0] }
      #expect(abs(own.reduce(0) { $0 + $1 * $1 } - 1) < 1e-6, "column \(column)")
    }
    // Six standard errors of a share of one half.
    let positive = Double(values.count { $0 > 0 })
    #expect(abs(positive / count - 0.5) < 3 / count.squareRoot())
    // The fourth moment over the squared variance is 9/5 for uniform numbers and 3 for normal ones.
    let fourth = values.reduce(0) { $0 + $1 * $1 * $1 * $1 } / count
    #expect(abs(fourth * Double(features * features) - 1.8) < 0.2)
  }

  @Test func givesEachParameterItsOwnStream() throws {
    let small = try Self.network("resnet8")
    let deep = try Self.network("resnet20")
    let name = "layer2.0.conv1.weight"
    #expect(try Self.values(small, name) == Self.values(deep, name))
    #expect(
      try Self.values(deep, "layer1.1.conv1.weight") != Self.values(deep, "layer1.1.conv2.weight"))
  }

  @Test func dependsOnTheSeedAndOnNothingElse() throws {
    #expect(try Self.network("resnet8").weightHash == Self.network("resnet8").weightHash)
    #expect(
      try Self.network("resnet8", seed: 8).weightHash != Self.network("resnet8").weightHash)
    let again = try Self.network("resnet8", seed: 8)
    again.buffers.forEach { $0.values = $0.values.map { _ in 5 } }
    again.initialize(seed: 7)
    #expect(try again.weightHash == Self.network("resnet8").weightHash)
  }
}
