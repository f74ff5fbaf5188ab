import Tensors

/// The order in which an epoch visits its images: a pure function of (seed, epoch).
package struct EpochOrder: Sendable {
  private let images: [Int]
  private let seed: UInt64

  package init(images: [Int], seed: UInt64) {
    self.images = images
    self.seed = seed
  }

  /// The image ids of an epoch (from 0), shuffled by Fisher–Yates.
  package func images(inEpoch epoch: Int) -> [Int] {
    var order = images
    // The last word keeps this stream apart from those of the initial weights.
    var random = RandomStream(
      key: seed, stream: (UInt32(truncatingIfNeeded: epoch), 0, 0x6f72_6465))
    random.shuffle(&order)
    return order
  }
}
