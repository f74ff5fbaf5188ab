/// The VGG networks for CIFAR with batch norm (arXiv 1409.1556), mdistiller's names.
///
/// Five blocks of 3×3 convolutions with bias; max-pools after the first three, for images of 64
/// pixels a side after the fourth too, and a global average pool before the head. Taps are the block
/// outputs after ReLU, before the pool.
struct VGG: NetworkFamily {
  /// Convolutions in each of the five blocks.
  let convolutions: [Int]

  private static let widths = [64, 128, 256, 512, 512]

  func classifier(_ name: String, classes: Int) -> Classifier {
    precondition(convolutions.count == 5, "a VGG has five blocks, not \(convolutions.count)")
    let stages = (0..<5).map { (block: Int) -> Stage in
      let (pool, side) = Self.pool(before: block)
      return Stage(
        tap: "stage\(block + 1)", layer: Sequential(pool + layers(ofBlock: block)),
        channels: Self.widths[block], side: side)
    }
    let head = Sequential([GlobalAveragePool(), Linear("classifier", in: 512, out: classes)])
    return Classifier(
      architecture: name, classes: classes, stages: stages, head: head,
      initialization: Initialization(
        convolution: .normalFanOut, linear: .normal(deviation: 0.01), linearBias: .zero))
  }

  private static func pool(before block: Int) -> ([any Layer], @Sendable (Int) -> Int) {
    switch block {
    case 0: ([], Stage.sameSide)
    // The map has 8 pixels a side here if the image has 64.
    case 4: ([MaxPool2D(2, onlyAtHeight: 8)], { $0 == 8 ? 4 : $0 })
    default: ([MaxPool2D(2)], Stage.halfSideDown)
    }
  }

  /// Convolution, batch norm and ReLU, in turn; names count all three.
  private func layers(ofBlock block: Int) -> [any Layer] {
    (0..<convolutions[block]).flatMap { index -> [any Layer] in
      let isStem = block == 0 && index == 0
      let width = Self.widths[block]
      let inputs = index > 0 ? width : isStem ? 3 : Self.widths[block - 1]
      return [
        Conv2D(
          "block\(block).\(3 * index)", in: inputs, out: width, kernel: 3, padding: 1, bias: true,
          isInput: isStem),
        BatchNorm2D("block\(block).\(3 * index + 1)", width),
        ReLU(),
      ]
    }
  }
}
