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
  /// `beside` is called once, as soon as the gradient before the rectifier is known (it is also the
  /// gradient at the addend), with that gradient.
  func backward(
    _ gradient: Tensor, on execution: Execution, beside: (Tensor) -> Tensor?
  ) -> Tensor
}
