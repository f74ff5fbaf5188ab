package import Tensors

/// max(x, 0).
package final class ReLU: Layer {
  package init() {}

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    preconditionFailure("ReLU.forward is on its way")
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    preconditionFailure("ReLU.backward is on its way")
  }
}
