/// ShuffleNet V1 with three groups for CIFAR (arXiv 1707.01083), mdistiller's names.
///
/// A 1×1 stem to 24 channels without a pool behind it, then three stages of 4, 8, 4 units, the first
/// of which halves the image. Unlike the paper's, the depthwise convolution has a ReLU behind it.
struct ShuffleNetV1: NetworkFamily {
  private static let stem = 24
  private static let groups = 3
  /// Channels and units of a stage.
  private static let stages = [(240, 4), (480, 8), (960, 4)]

  func classifier(_ name: String, classes: Int) -> Classifier {
    var inputs = Self.stem
    let stages = Self.stages.enumerated().map { index, stage -> Stage in
      let (width, count) = stage
      var layers = index == 0 ? stem : []
      for unit in 0..<count {
        layers += self.unit(
          "layer\(index + 1).\(unit)", in: inputs, out: width, halving: unit == 0)
        inputs = width
      }
      return Stage(
        tap: "stage\(index + 1)", layer: Sequential(layers), channels: width,
        side: Stage.halfSideUp)
    }
    let head = Sequential([GlobalAveragePool(), Linear("linear", in: inputs, out: classes)])
    return Classifier(
      architecture: name, classes: classes, stages: stages, head: head,
      initialization: Initialization(
        convolution: .uniformFanIn, linear: .uniformFanIn, linearBias: .uniformFanIn))
  }

  private var stem: [any Layer] {
    [
      Conv2D("conv1", in: 3, out: Self.stem, kernel: 1, isInput: true),
      BatchNorm2D("bn1", Self.stem), ReLU(),
    ]
  }

  /// A unit is added to its input, or, halving the image, stands before its average pool.
  private func unit(
    _ name: String, in inputs: Int, out outputs: Int, halving: Bool
  ) -> [any Layer] {
    guard halving else {
      return [Residual(branch(name, in: inputs, out: outputs, strides: 1)), ReLU()]
    }
    return [
      RectifiedConcatenation(
        branch(name, in: inputs, out: outputs - inputs, strides: 2),
        beside: AveragePool2D(kernel: 3, strides: 2, padding: 1))
    ]
  }

  /// Grouped 1×1 to a quarter of the channels, shuffle, depthwise 3×3, grouped 1×1. The few channels
  /// of the stem are not grouped, so there is nothing to shuffle behind them.
  private func branch(
    _ name: String, in inputs: Int, out outputs: Int, strides: Int
  ) -> Sequential {
    let middle = outputs / 4
    let isGrouped = inputs != Self.stem
    let shuffle: [any Layer] = isGrouped ? [ChannelShuffle(groups: Self.groups)] : []
    return Sequential(
      [
        Conv2D(
          "\(name).conv1", in: inputs, out: middle, kernel: 1,
          groups: isGrouped ? Self.groups : 1),
        BatchNorm2D("\(name).bn1", middle), ReLU(),
      ] + shuffle + [
        Conv2D(
          "\(name).conv2", in: middle, out: middle, strides: strides, padding: 1, groups: middle),
        BatchNorm2D("\(name).bn2", middle), ReLU(),
        Conv2D("\(name).conv3", in: middle, out: outputs, kernel: 1, groups: Self.groups),
        BatchNorm2D("\(name).bn3", outputs),
      ])
  }
}
