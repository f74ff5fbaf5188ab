import Tensors

/// A layer whose last pass over its output can add another tensor and rectify on the way.
///
/// It saves a pass over memory each way; `Sequential` and `Residual` find the places. `forward` with
/// neither is `Layer.forward`.
protocol FusingLayer: Layer {
  /// Whether the last pass can take the extras at all.
  var fuses: Bool { get }

  /// The output plus `addend`, rectified if wanted.
  func forward(
    _ x: Tensor, addend: Tensor?, rectify: Bool, mode: Mode, on execution: Execution
  ) -> Tensor

  /// The gradient at the input plus what `beside` returns.
  ///
  /// `beside` is called once, with the gradient at the addend, as soon as that is known. Where `forward`
  /// had no addend it is the gradient at the output, before any rectifier's mask.
  func backward(
    _ gradient: Tensor, on execution: Execution, beside: (Tensor) -> Tensor?
  ) -> Tensor
}
