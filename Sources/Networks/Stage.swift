package import Tensors

/// A part of a network that ends at a tap.
package struct Stage {
  /// The tap's name: "stage1", "stage2", …
  package let tap: String
  package let layer: any Layer
  /// The channels of the output.
  package let channels: Int
  /// The output's height (or width) for an input of that height (or width).
  package let side: @Sendable (Int) -> Int

  package init(
    tap: String, layer: any Layer, channels: Int, side: @escaping @Sendable (Int) -> Int
  ) {
    self.tap = tap
    self.layer = layer
    self.channels = channels
    self.side = side
  }

  /// No stride.
  static let sameSide: @Sendable (Int) -> Int = { $0 }
  /// One 3×3 convolution of stride 2 and padding 1.
  static let halfSideUp: @Sendable (Int) -> Int = { ($0 + 1) / 2 }
  /// One 2×2 pool of stride 2; an odd last row is left out.
  static let halfSideDown: @Sendable (Int) -> Int = { $0 / 2 }
}

/// What a network said about a batch.
package struct NetworkOutput: Sendable {
  /// N×classes, or nil where the run ended at a stage.
  package let logits: Tensor?
  /// N×H×W×C by tap, for the taps that were asked for.
  package let features: [String: Tensor]

  package init(logits: Tensor?, features: [String: Tensor]) {
    self.logits = logits
    self.features = features
  }
}
