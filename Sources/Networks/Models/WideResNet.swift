/// The wide ResNets of depth 6n + 4 and widening factor k (arXiv 1605.07146), mdistiller's names.
///
/// Pre-activation blocks BN-ReLU-conv-BN-ReLU-conv; the stem has no batch norm of its own, and the
/// last batch norm belongs to the head. Taps are raw block outputs, so they can be negative.
struct WideResNet: NetworkFamily {
  let depth: Int
  let factor: Int

  func classifier(_ name: String, classes: Int) -> Classifier {
    precondition(
      depth > 4 && (depth - 4) % 6 == 0, "a wide ResNet has depth 6n + 4, not \(depth)")
    let widths = [16, 16 * factor, 32 * factor, 64 * factor]
    let stem: [any Layer] = [
      Conv2D("conv1", in: 3, out: widths[0], kernel: 3, padding: 1, isInput: true)
    ]
    let stages = (1...3).map { (group: Int) -> Stage in
      Stage(
        tap: "stage\(group)",
        layer: Sequential(
          (group == 1 ? stem : [])
            + blocks(ofGroup: group, in: widths[group - 1], out: widths[group])),
        channels: widths[group],
        side: group == 1 ? Stage.sameSide : Stage.halfSideUp)
    }
    let head = Sequential([
      BatchNorm2D("bn1", widths[3]), ReLU(), GlobalAveragePool(),
      Linear("fc", in: widths[3], out: classes),
    ])
    return Classifier(
      architecture: name, classes: classes, stages: stages, head: head,
      initialization: Initialization(
        convolution: .normalFanOut, linear: .uniformFanIn, linearBias: .zero))
  }

  private func blocks(
    ofGroup group: Int, in inputs: Int, out outputs: Int
  ) -> [any Layer] {
    (0..<(depth - 4) / 6).map { index in
      block(
        "block\(group).layer.\(index)", in: index == 0 ? inputs : outputs, out: outputs,
        strides: index == 0 && group > 1 ? 2 : 1)
    }
  }

  /// A block. Where the channels change, the 1×1 shortcut starts from the *activated* input, so
  /// the first batch norm and ReLU stand before the fork; else they belong to the main path.
  private func block(
    _ name: String, in inputs: Int, out outputs: Int, strides: Int
  ) -> any Layer {
    let activation: [any Layer] = [BatchNorm2D("\(name).bn1", inputs), ReLU()]
    let main: [any Layer] = [
      Conv2D("\(name).conv1", in: inputs, out: outputs, kernel: 3, strides: strides, padding: 1),
      BatchNorm2D("\(name).bn2", outputs),
      ReLU(),
      Conv2D("\(name).conv2", in: outputs, out: outputs, kernel: 3, padding: 1),
    ]
    guard inputs != outputs else { return Residual(Sequential(activation + main)) }
    let shortcut = Conv2D(
      "\(name).convShortcut", in: inputs, out: outputs, kernel: 1, strides: strides)
    return Sequential(activation + [Residual(Sequential(main), shortcut: shortcut)])
  }
}
