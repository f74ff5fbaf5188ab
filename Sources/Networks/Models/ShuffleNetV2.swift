/// ShuffleNet V2 of width 1 for CIFAR (arXiv 1807.11164), mdistiller's names.
///
/// A 1×1 stem to 24 channels without a pool behind it, three stages of a unit that halves the image
/// and 3, 7, 3 more, then a 1×1 convolution to 1024 channels, which belongs to the head.
struct ShuffleNetV2: NetworkFamily {
  private static let stem = 24
  private static let last = 1024
  /// Channels of a stage, and its units behind the first.
  private static let stages = [(116, 3), (232, 7), (464, 3)]

  func classifier(_ name: String, classes: Int) -> Classifier {
    var inputs = Self.stem
    let stages = Self.stages.enumerated().map { index, stage -> Stage in
      let (width, units) = stage
      let layer = halves("layer\(index + 1)", in: inputs, width: width, units: units)
      inputs = width
      return Stage(
        tap: "stage\(index + 1)", layer: index == 0 ? Sequential(stem + [layer]) : layer,
        channels: width, side: Stage.halfSideUp)
    }
    let head = Sequential(
      pointwise("conv2", "bn2", in: inputs, out: Self.last)
        + [GlobalAveragePool(), Linear("linear", in: Self.last, out: classes)])
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

  private func halves(_ name: String, in inputs: Int, width: Int, units: Int) -> any Layer {
    let (first, half) = ("\(name).0", width / 2)
    return ShuffledHalves(
      left: Sequential(
        depthwise("\(first).conv1", "\(first).bn1", inputs, strides: 2)
          + pointwise("\(first).conv2", "\(first).bn2", in: inputs, out: half)),
      right: Sequential(
        pointwise("\(first).conv3", "\(first).bn3", in: inputs, out: half)
          + depthwise("\(first).conv4", "\(first).bn4", half, strides: 2)
          + pointwise("\(first).conv5", "\(first).bn5", in: half, out: half)),
      units: (1...units).map { index in
        let unit = "\(name).\(index)"
        return Sequential(
          pointwise("\(unit).conv1", "\(unit).bn1", in: half, out: half)
            + depthwise("\(unit).conv2", "\(unit).bn2", half, strides: 1)
            + pointwise("\(unit).conv3", "\(unit).bn3", in: half, out: half))
      })
  }

  private func pointwise(
    _ conv: String, _ norm: String, in inputs: Int, out outputs: Int
  ) -> [any Layer] {
    [Conv2D(conv, in: inputs, out: outputs, kernel: 1), BatchNorm2D(norm, outputs), ReLU()]
  }

  /// No ReLU behind it.
  private func depthwise(
    _ conv: String, _ norm: String, _ channels: Int, strides: Int
  ) -> [any Layer] {
    [
      Conv2D(
        conv, in: channels, out: channels, strides: strides, padding: 1, groups: channels),
      BatchNorm2D(norm, channels),
    ]
  }
}
