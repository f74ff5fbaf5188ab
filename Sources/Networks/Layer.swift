package import Tensors

/// How a layer runs: `training` keeps what backward needs and uses batch statistics.
package enum Mode: Sendable {
  case training
  case inference
}

/// A differentiable step of a network: N×H×W×C (or N×C) in, N×H×W×C (or N×C) out.
package protocol Layer: AnyObject {
  /// The layer's output for `x`.
  ///
  /// In training mode it pushes what backward needs, so forward, forward, backward, backward is
  /// legal (last in, first out). In inference mode it keeps nothing.
  func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor

  /// The gradient at the input, for the last training forward not yet used up.
  ///
  /// Adds to `Parameter.gradient`; never sets it.
  func backward(_ gradient: Tensor, on execution: Execution) -> Tensor

  /// The layer's inference as nodes of an ONNX graph, for an exported network.
  func export(_ x: OnnxGraph.Value, to graph: inout OnnxGraph) -> OnnxGraph.Value

  /// What SGD trains, in definition order.
  var parameters: [Parameter] { get }

  /// What forward in training mode updates without a gradient, in definition order.
  var buffers: [StateBuffer] { get }
}

extension Layer {
  package var parameters: [Parameter] { [] }
  package var buffers: [StateBuffer] { [] }
}
