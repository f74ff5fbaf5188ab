import Networks
import Tensors
import Testing

/// Every layer once or more, named as in tools/reference/layers.py. A new layer is one row here.
enum LayerCases {
  static let all: [(name: String, make: @Sendable () -> any Layer)] = [
    ("conv3x3", { Conv2D("c", in: 16, out: 16, padding: 1) }),
    ("conv3x3 odd channels, bias", { Conv2D("c", in: 3, out: 5, padding: 1, bias: true) }),
    ("conv3x3 stride 2", { Conv2D("c", in: 8, out: 24, strides: 2, padding: 1) }),
    ("conv3x3 stride 2, even size", { Conv2D("c", in: 8, out: 16, strides: 2, padding: 1) }),
    ("conv1x1", { Conv2D("c", in: 16, out: 24, kernel: 1) }),
    ("conv1x1 stride 2", { Conv2D("c", in: 16, out: 32, kernel: 1, strides: 2) }),
    ("conv5x5", { Conv2D("c", in: 4, out: 6, kernel: 5, padding: 2, bias: true) }),
    (
      "conv4x4 stride 2",
      { Conv2D("c", in: 4, out: 6, kernel: 4, strides: 2, padding: 1, bias: true) }
    ),
    ("conv3x3 three groups", { Conv2D("c", in: 12, out: 60, padding: 1, groups: 3) }),
    (
      "conv1x1 three groups", { Conv2D("c", in: 60, out: 12, kernel: 1, groups: 3, bias: true) }
    ),
    ("depthwise", { Conv2D("c", in: 20, out: 20, padding: 1, groups: 20) }),
    (
      "depthwise stride 2",
      { Conv2D("c", in: 20, out: 20, strides: 2, padding: 1, groups: 20, bias: true) }
    ),
    (
      "conv transpose",
      { ConvTranspose2D("c", in: 6, out: 10, kernel: 4, strides: 2, padding: 1, bias: true) }
    ),
    (
      "conv transpose, kernel 2", { ConvTranspose2D("c", in: 16, out: 16, kernel: 2, strides: 2) }
    ),
    ("batch norm", { BatchNorm2D("n", 24) }),
    ("relu", { ReLU() }),
    ("max pool", { MaxPool2D(2) }),
    ("max pool, overlapping", { MaxPool2D(3, strides: 2) }),
    ("average pool", { AveragePool2D(kernel: 3, strides: 2, padding: 1) }),
    ("global average", { GlobalAveragePool() }),
    ("linear", { Linear("l", in: 20, out: 10) }),
    ("normed linear", { NormedLinear("l", in: 20, out: 10) }),
    ("shortcut A", { OptionAShortcut(in: 6, out: 16, strides: 2) }),
    ("block", { block(16, 16, strides: 1) }),
    ("block stride 2", { block(8, 16, strides: 2) }),
    (
      "rectified branch",
      { Residual(Sequential([Residual(Conv2D("c", in: 16, out: 16, padding: 1)), ReLU()])) }
    ),
    (
      "rectified branch with batch norm",
      {
        let inner = Sequential([Conv2D("c", in: 16, out: 16, padding: 1), BatchNorm2D("n", 16)])
        return Residual(Sequential([Residual(inner), ReLU()]))
      }
    ),
    ("inverted residual", { invertedResidual(8, factor: 3) }),
    ("channel shuffle", { ChannelShuffle(groups: 3) }),
    (
      "shuffle unit, added",
      { Sequential([Residual(shuffleUnit(in: 24, out: 24, strides: 1)), ReLU()]) }
    ),
    (
      "shuffle unit, concatenated",
      {
        RectifiedConcatenation(
          shuffleUnit(in: 24, out: 36, strides: 2),
          beside: AveragePool2D(kernel: 3, strides: 2, padding: 1))
      }
    ),
    ("shuffled halves", { shuffledHalves(34) }),
    ("shuffled halves, few channels", { shuffledHalves(10) }),
  ]

  static var names: [String] { all.map(\.name) }

  /// The layer of this name with the reference's parameters.
  static func make(_ name: String) throws -> any Layer {
    let layer = try #require(all.first { $0.name == name }).make()
    for (index, parameter) in layer.parameters.enumerated() {
      let offset: Float = parameter.stateShape.count == 1 ? 1 : 0
      let count = parameter.stateShape.reduce(1, *)
      parameter.setState(pattern(count, seed: index + 1).map { $0 + offset })
    }
    return layer
  }

  static func block(_ i: Int, _ o: Int, strides: Int) -> any Layer {
    let plain = i == o && strides == 1
    return Sequential([
      Residual(
        Sequential([
          Conv2D("b.conv1", in: i, out: o, strides: strides, padding: 1), BatchNorm2D("b.bn1", o),
          ReLU(), Conv2D("b.conv2", in: o, out: o, padding: 1), BatchNorm2D("b.bn2", o),
        ]),
        shortcut: plain
          ? nil
          : Sequential([
            Conv2D("b.downsample.0", in: i, out: o, kernel: 1, strides: strides),
            BatchNorm2D("b.downsample.1", o),
          ])), ReLU(),
    ])
  }

  /// A convolution and a batch norm, and a ReLU if wanted; depthwise if it is 3×3.
  private static func conv(
    _ i: Int, _ o: Int, kernel: Int = 1, strides: Int = 1, groups: Int = 1, relu: Bool = true
  ) -> [any Layer] {
    let conv = Conv2D(
      "c", in: i, out: o, kernel: kernel, strides: strides, padding: kernel / 2,
      groups: kernel == 3 ? i : groups)
    return [conv, BatchNorm2D("n", o)] + (relu ? [ReLU()] : [])
  }

  static func invertedResidual(_ i: Int, factor: Int) -> any Layer {
    let middle = factor * i
    return Residual(
      Sequential(
        conv(i, middle) + conv(middle, middle, kernel: 3) + conv(middle, i, relu: false)))
  }

  /// The convolutions of a unit of ShuffleNet V1.
  static func shuffleUnit(in i: Int, out o: Int, strides: Int) -> Sequential {
    let middle = o / 4
    return Sequential(
      conv(i, middle, groups: 3) + [ChannelShuffle(groups: 3)]
        + conv(middle, middle, kernel: 3, strides: strides)
        + conv(middle, o, groups: 3, relu: false))
  }

  /// A stage of ShuffleNet V2 of three units, the first from 6 channels.
  static func shuffledHalves(_ half: Int) -> any Layer {
    func unit(from i: Int, strides: Int) -> Sequential {
      Sequential(
        conv(i, half) + conv(half, half, kernel: 3, strides: strides, relu: false)
          + conv(half, half))
    }
    return ShuffledHalves(
      left: Sequential(conv(6, 6, kernel: 3, strides: 2, relu: false) + conv(6, half)),
      right: unit(from: 6, strides: 2),
      units: [unit(from: half, strides: 1), unit(from: half, strides: 1)])
  }
}

/// tools/reference/layers.py, `pattern`: values in [−1, 1] that look random.
func pattern(_ count: Int, seed: Int) -> [Float] {
  (0..<count).map { i in
    Float(Double((i * 617 + seed * 331 + (i / 1009) * 97) % 2019 - 1009) / 1009)
  }
}

func patternTensor(_ shape: [Int], seed: Int) -> Tensor {
  Tensor(pattern(shape.reduce(1, *), seed: seed), shape: shape)
}
