import Crypto
import Foundation
import Networks
import Tensors
import Testing

@Suite struct ArchitectureTests {
  struct Expected: Decodable {
    let parameters: Int
    let arrays: Int
    let sha256: String
  }

  private static func expected() throws -> [String: Expected] {
    let url = Locations.fixtures.appendingPathComponent("architectures.json")
    return try JSONDecoder().decode([String: Expected].self, from: Data(contentsOf: url))
  }

  /// Counted independently of the PyTorch definitions, from the published descriptions.
  private static let published = [
    "resnet8": 83_892, "resnet14": 181_108, "resnet20": 278_324, "resnet32": 472_756,
    "resnet44": 667_188, "resnet56": 861_620, "resnet110": 1_736_564, "resnet8x4": 1_233_540,
    "resnet32x4": 7_433_860, "wrn_16_1": 180_916, "wrn_40_1": 569_780, "wrn_16_2": 703_284,
    "wrn_40_2": 2_255_156, "vgg8": 3_965_028, "vgg13": 9_462_180, "vgg11": 9_277_284,
    "vgg16": 14_774_436, "vgg19": 20_086_692, "resnet32_s": 470_004, "MobileNetV2": 812_836,
    "ShuffleV1": 949_258, "ShuffleV2": 1_355_528, "ResNet18": 11_220_132, "ResNet50": 23_705_252,
  ]

  private static func count(_ network: Classifier) -> Int {
    network.parameters.reduce(0) { $0 + $1.stateShape.reduce(1, *) }
  }

  @Test(arguments: Architecture.names)
  func hasThePublishedNumberOfParameters(_ name: String) throws {
    let network = try Architecture.make(name, classes: 100)
    if let published = Self.published[name] { #expect(Self.count(network) == published) }
    #expect(try Self.count(network) == Self.expected()["\(name) 100"]?.parameters)
  }

  @Test func countsTheParametersOfTheBalancedDistillationNetwork() throws {
    #expect(try Self.count(Architecture.make("resnet32_s", classes: 10)) == 464_154)
    #expect(try Self.count(Architecture.make("resnet32_s", classes: 100)) == 470_004)
    // akamaster's ResNet-56 for CIFAR-10, as its weight file counts.
    #expect(try Self.count(Architecture.make("resnet56_s", classes: 10)) == 853_018)
  }

  @Test func knowsEveryNetworkOfThePyTorchDefinitions() throws {
    let reference = try Set(Self.expected().keys.map { $0.split(separator: " ")[0] })
    #expect(Set(Architecture.names.map { Substring($0) }) == reference)
    #expect(Set(Self.published.keys).isSubset(of: Architecture.names))
  }

  @Test(arguments: Architecture.names)
  func hasTheStateDictionaryOfThePyTorchDefinition(_ name: String) throws {
    let network = try Architecture.make(name, classes: 100)
    let shapes =
      network.parameters.map { ($0.name, $0.stateShape) }
      + network.buffers.map { ($0.name, $0.stateShape) }
    let lines = shapes.map { "\($0) \($1)\n" }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let digest = SHA256.hash(data: Data(lines.joined().utf8))
      .map { String(format: "%02x", $0) }.joined()
    let expected = try #require(try Self.expected()["\(name) 100"])
    #expect(lines.count == expected.arrays)
    #expect(digest == expected.sha256)
  }

  @Test(arguments: [
    ("ResNet20", "resnet20"), ("WRN-40-2", "wrn_40_2"), ("vgg13", "vgg13"),
    ("RESNET56_S", "resnet56_s"), ("resnet32X4", "resnet32x4"), ("resnet20-s", "resnet20_s"),
    ("mobilenetv2", "MobileNetV2"), ("shuffleV1", "ShuffleV1"), ("SHUFFLEV2", "ShuffleV2"),
    ("resnet18", "ResNet18"), ("Resnet50", "ResNet50"),
  ])
  func findsANetworkWhateverTheCaseOfItsName(_ given: String, _ canonical: String) throws {
    #expect(try Architecture.canonical(given) == canonical)
    #expect(try Architecture.make(given, classes: 10).architecture == canonical)
  }

  @Test func listsTheNearestNamesForAnUnknownOne() throws {
    let error = try #require(throws: NetworkError.self) {
      try Architecture.make("wrn40_2", classes: 10)
    }
    #expect(error.kind == .unknownName)
    #expect(error.description.contains("nearest: wrn_40_2, wrn_40_1"))
    let other = try #require(throws: NetworkError.self) { try Architecture.canonical("resnet21") }
    #expect(other.description.contains("nearest: resnet20"))
  }

  @Test func tapsAreTheStagesOfTheMethods() throws {
    func shapes(_ name: String, _ side: Int) throws -> [String] {
      try Architecture.make(name, classes: 10).tapShapes(height: side, width: side)
        .map { "\($0.tap) \($0.channels)@\($0.height)x\($0.width)" }
    }
    #expect(
      try shapes("resnet56", 32) == ["stage1 16@32x32", "stage2 32@16x16", "stage3 64@8x8"])
    #expect(
      try shapes("resnet8x4", 28) == ["stage1 64@28x28", "stage2 128@14x14", "stage3 256@7x7"])
    #expect(
      try shapes("wrn_16_2", 32) == ["stage1 32@32x32", "stage2 64@16x16", "stage3 128@8x8"])
    #expect(
      try shapes("vgg8", 32) == [
        "stage1 64@32x32", "stage2 128@16x16", "stage3 256@8x8", "stage4 512@4x4",
        "stage5 512@4x4",
      ])
    #expect(
      try shapes("vgg19", 28) == [
        "stage1 64@28x28", "stage2 128@14x14", "stage3 256@7x7", "stage4 512@3x3",
        "stage5 512@3x3",
      ])
    #expect(
      try shapes("vgg13", 64) == [
        "stage1 64@64x64", "stage2 128@32x32", "stage3 256@16x16", "stage4 512@8x8",
        "stage5 512@4x4",
      ])
    #expect(
      try shapes("MobileNetV2", 32) == [
        "stage1 12@16x16", "stage2 16@8x8", "stage3 48@4x4", "stage4 160@2x2",
      ])
    #expect(
      try shapes("ShuffleV1", 28) == ["stage1 240@14x14", "stage2 480@7x7", "stage3 960@4x4"])
    #expect(
      try shapes("ShuffleV2", 64) == ["stage1 116@32x32", "stage2 232@16x16", "stage3 464@8x8"])
    #expect(
      try shapes("ResNet18", 32) == [
        "stage1 64@32x32", "stage2 128@16x16", "stage3 256@8x8", "stage4 512@4x4",
      ])
    #expect(
      try shapes("ResNet50", 28) == [
        "stage1 256@28x28", "stage2 512@14x14", "stage3 1024@7x7", "stage4 2048@4x4",
      ])
  }

  /// Digits have 28 pixels a side, Tiny-ImageNet has 64; every pool before a head is global.
  @Test(arguments: [28, 64])
  func takesImagesOfOtherSizes(_ side: Int) throws {
    let execution = Execution(threads: 2)
    for name in [
      "resnet8", "resnet20_s", "wrn_16_1", "vgg8", "MobileNetV2", "ShuffleV1", "ShuffleV2",
      "ResNet18", "ResNet50",
    ] {
      let network = try Architecture.make(name, classes: 10)
      network.initialize(seed: 1)
      let images = Tensor.zeros([1, side, side, 3], in: execution.memory)
      let output = network.forward(
        images, training: 0..<0, keeping: Set(network.taps), on: execution)
      #expect(output.logits?.shape == [1, 10], "\(name)")
      for (tap, height, width, channels) in network.tapShapes(height: side, width: side) {
        #expect(output.features[tap]?.shape == [1, height, width, channels], "\(name) \(tap)")
      }
    }
  }
}
