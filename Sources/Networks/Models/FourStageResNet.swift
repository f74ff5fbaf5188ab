/// ResNet18 and ResNet50 (arXiv 1512.03385, table 1) for CIFAR, mdistiller's names.
///
/// A 3×3 stem to 64 channels without a pool behind it, four stages of widths 64 to 512 with strides
/// 1, 2, 2, 2, a global average pool and a linear layer.
struct FourStageResNet: NetworkFamily {
  enum Block {
    /// Two 3×3 convolutions.
    case basic
    /// 1×1, 3×3, which has the strides, and 1×1 to four times the width.
    case bottleneck
  }

  /// Blocks of each stage.
  let blocks: [Int]
  let block: Block

  func classifier(_ name: String, classes: Int) -> Classifier {
    precondition(blocks.count == 4, "the network has four stages, not \(blocks.count)")
    let stem: [any Layer] = [
      Conv2D("conv1", in: 3, out: 64, kernel: 3, padding: 1, isInput: true),
      BatchNorm2D("bn1", 64), ReLU(),
    ]
    var inputs = 64
    let stages = (0..<4).map { (stage: Int) -> Stage in
      let width = 64 << stage
      var layers = stage == 0 ? stem : []
      for index in 0..<blocks[stage] {
        layers += residual(
          "layer\(stage + 1).\(index)", in: inputs, width: width,
          strides: stage > 0 && index == 0 ? 2 : 1)
        inputs = outputs(ofWidth: width)
      }
      return Stage(
        tap: "stage\(stage + 1)", layer: Sequential(layers), channels: inputs,
        side: stage == 0 ? Stage.sameSide : Stage.halfSideUp)
    }
    let head = Sequential([GlobalAveragePool(), Linear("linear", in: inputs, out: classes)])
    return Classifier(
      architecture: name, classes: classes, stages: stages, head: head,
      initialization: Initialization(
        convolution: .normalFanOut, linear: .uniformFanIn, linearBias: .uniformFanIn))
  }

  private func outputs(ofWidth width: Int) -> Int { block == .basic ? width : 4 * width }

  private func residual(
    _ name: String, in inputs: Int, width: Int, strides: Int
  ) -> [any Layer] {
    let outputs = outputs(ofWidth: width)
    let main: [any Layer]
    switch block {
    case .basic:
      main =
        conv(name, 1, in: inputs, out: width, kernel: 3, strides: strides) + [ReLU()]
        + conv(name, 2, in: width, out: width, kernel: 3)
    case .bottleneck:
      main =
        conv(name, 1, in: inputs, out: width, kernel: 1) + [ReLU()]
        + conv(name, 2, in: width, out: width, kernel: 3, strides: strides) + [ReLU()]
        + conv(name, 3, in: width, out: outputs, kernel: 1)
    }
    let shortcut = Sequential([
      Conv2D("\(name).shortcut.0", in: inputs, out: outputs, kernel: 1, strides: strides),
      BatchNorm2D("\(name).shortcut.1", outputs),
    ])
    let keepsShape = strides == 1 && inputs == outputs
    return [Residual(Sequential(main), shortcut: keepsShape ? nil : shortcut), ReLU()]
  }

  private func conv(
    _ block: String, _ number: Int, in inputs: Int, out outputs: Int, kernel: Int,
    strides: Int = 1
  ) -> [any Layer] {
    [
      Conv2D(
        "\(block).conv\(number)", in: inputs, out: outputs, kernel: kernel, strides: strides,
        padding: kernel / 2),
      BatchNorm2D("\(block).bn\(number)", outputs),
    ]
  }
}
