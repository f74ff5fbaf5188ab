package import Tensors

/// max(x, 0); the gradient is zero where x ≤ 0.
package final class ReLU: Layer {
  private var kept = Kept<Tensor>()

  package init() {}

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    let y = rectified(x, on: execution)
    kept.push(y, in: mode)
    return y
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    let y = kept.pop("ReLU")
    return rectifiedGradient(gradient, output: y, on: execution)
  }
}
