/// MobileNet V2 of half width for CIFAR (arXiv 1801.04381), mdistiller's names.
///
/// A 3×3 stem of stride 2 to 16 channels, seven groups of inverted residuals, then a 1×1 convolution
/// to 1280 channels, which belongs to the head. All rectifiers are plain ReLUs. Taps are the linear
/// outputs of the groups 1, 2, 4 and 6, so they can be negative.
struct MobileNetV2: NetworkFamily {
  private static let stem = 16
  private static let last = 1280
  /// Each group's factor of expansion, output channels, blocks, and strides of its first block.
  private static let groups = [
    (1, 8, 1, 1), (6, 12, 2, 1), (6, 16, 3, 2), (6, 32, 4, 2), (6, 48, 3, 1), (6, 80, 3, 2),
    (6, 160, 1, 1),
  ]
  /// The groups of each stage; the stem belongs to the first.
  private static let stages = [0...1, 2...2, 3...4, 5...6]

  func classifier(_ name: String, classes: Int) -> Classifier {
    var inputs = Self.stem
    let stages = Self.stages.enumerated().map { index, groups -> Stage in
      var layers = index == 0 ? stem : []
      for group in groups {
        let (factor, outputs, count, strides) = Self.groups[group]
        for block in 0..<count {
          layers.append(
            self.block(
              "blocks.\(group).\(block).conv", in: inputs, out: outputs, factor: factor,
              strides: block == 0 ? strides : 1))
          inputs = outputs
        }
      }
      // The stem halves the image in the first stage, a group in each of the others.
      return Stage(
        tap: "stage\(index + 1)", layer: Sequential(layers), channels: inputs,
        side: Stage.halfSideUp)
    }
    let head = Sequential([
      Conv2D("conv2.0", in: inputs, out: Self.last, kernel: 1),
      BatchNorm2D("conv2.1", Self.last), ReLU(),
      GlobalAveragePool(), Linear("classifier.0", in: Self.last, out: classes),
    ])
    return Classifier(
      architecture: name, classes: classes, stages: stages, head: head,
      initialization: Initialization(
        convolution: .normalFanOut, linear: .normal(deviation: 0.01), linearBias: .zero))
  }

  private var stem: [any Layer] {
    [
      Conv2D(
        "conv1.0", in: 3, out: Self.stem, kernel: 3, strides: 2, padding: 1, isInput: true),
      BatchNorm2D("conv1.1", Self.stem), ReLU(),
    ]
  }

  /// 1×1 to `factor` times the channels, depthwise 3×3, 1×1 without a rectifier; plus the input where
  /// the shape stays.
  private func block(
    _ name: String, in inputs: Int, out outputs: Int, factor: Int, strides: Int
  ) -> any Layer {
    let middle = inputs * factor
    let main = Sequential([
      Conv2D("\(name).0", in: inputs, out: middle, kernel: 1),
      BatchNorm2D("\(name).1", middle), ReLU(),
      Conv2D(
        "\(name).3", in: middle, out: middle, strides: strides, padding: 1, groups: middle),
      BatchNorm2D("\(name).4", middle), ReLU(),
      Conv2D("\(name).6", in: middle, out: outputs, kernel: 1),
      BatchNorm2D("\(name).7", outputs),
    ])
    return strides == 1 && inputs == outputs ? Residual(main) : main
  }
}
