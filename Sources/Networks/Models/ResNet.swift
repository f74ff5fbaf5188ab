/// The CIFAR ResNets of depth 6n + 2 (arXiv 1512.03385, section 4.2).
///
/// A 3×3 stem, three groups of n basic blocks with strides 1, 2, 2, a global average pool and a
/// linear layer. With projections these are mdistiller's networks, with option A those of BKD and
/// akamaster; state-dict names are theirs.
struct ResNet: NetworkFamily {
  /// What goes around a block whose shape changes.
  enum Shortcut {
    /// 1×1 convolution and batch norm: `downsample.0`, `downsample.1`; the head is `fc`.
    case projection
    /// Every second pixel between zero channels, no weights; the head is `linear`.
    case optionA
  }

  let depth: Int
  /// Channels of the stem and of the three groups.
  var widths = [16, 16, 32, 64]
  var shortcut = Shortcut.projection
  /// Cosines in place of logits: the head that BKD's code gives LDAM, without a bias.
  var normedHead = false

  func classifier(_ name: String, classes: Int) -> Classifier {
    precondition(depth > 2 && (depth - 2) % 6 == 0, "a ResNet has depth 6n + 2, not \(depth)")
    let stages = (1...3).map { (group: Int) -> Stage in
      Stage(
        tap: "stage\(group)",
        layer: Sequential((group == 1 ? stem : []) + blocks(ofGroup: group)),
        channels: widths[group],
        side: group == 1 ? Stage.sameSide : Stage.halfSideUp)
    }
    let headName = shortcut == .optionA ? "linear" : "fc"
    let linear: any Layer =
      normedHead
      ? NormedLinear(headName, in: widths[3], out: classes)
      : Linear(headName, in: widths[3], out: classes)
    return Classifier(
      architecture: name, classes: classes, stages: stages,
      head: Sequential([GlobalAveragePool(), linear]), initialization: initialization,
      givesCosines: normedHead)
  }

  private var initialization: Initialization {
    switch shortcut {
    case .projection:
      Initialization(
        convolution: .normalFanOut, linear: .uniformFanIn, linearBias: .uniformFanIn)
    case .optionA:
      Initialization(convolution: .normalFanIn, linear: .normalFanIn, linearBias: .uniformFanIn)
    }
  }

  private var stem: [any Layer] {
    [
      Conv2D("conv1", in: 3, out: widths[0], kernel: 3, padding: 1, isInput: true),
      BatchNorm2D("bn1", widths[0]),
      ReLU(),
    ]
  }

  private func blocks(ofGroup group: Int) -> [any Layer] {
    (0..<(depth - 2) / 6).flatMap { index in
      block(
        "layer\(group).\(index)", in: index == 0 ? widths[group - 1] : widths[group],
        out: widths[group], strides: index == 0 && group > 1 ? 2 : 1)
    }
  }

  /// conv-BN-ReLU-conv-BN plus the shortcut, then ReLU.
  private func block(
    _ name: String, in inputs: Int, out outputs: Int, strides: Int
  ) -> [any Layer] {
    [
      Residual(
        Sequential([
          Conv2D(
            "\(name).conv1", in: inputs, out: outputs, kernel: 3, strides: strides, padding: 1),
          BatchNorm2D("\(name).bn1", outputs),
          ReLU(),
          Conv2D("\(name).conv2", in: outputs, out: outputs, kernel: 3, padding: 1),
          BatchNorm2D("\(name).bn2", outputs),
        ]),
        shortcut: strides == 1 && inputs == outputs
          ? nil : around(name, in: inputs, out: outputs, strides: strides)),
      ReLU(),
    ]
  }

  private func around(
    _ name: String, in inputs: Int, out outputs: Int, strides: Int
  ) -> any Layer {
    switch shortcut {
    case .optionA: OptionAShortcut(in: inputs, out: outputs, strides: strides)
    case .projection:
      Sequential([
        Conv2D("\(name).downsample.0", in: inputs, out: outputs, kernel: 1, strides: strides),
        BatchNorm2D("\(name).downsample.1", outputs),
      ])
    }
  }
}
