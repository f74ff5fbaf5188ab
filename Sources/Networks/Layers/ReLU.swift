package import Tensors

/// max(x, 0); the gradient is zero where x ≤ 0.
package final class ReLU: Layer {
  private var kept: [Tensor] = []

  package init() {}

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    let y = rectified(x, on: execution)
    if mode == .training { kept.append(y) }
    return y
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    guard let y = kept.popLast() else {
      preconditionFailure("ReLU: backward without a training forward")
    }
    return rectifiedGradient(gradient, output: y, on: execution)
  }
}
