package import Tensors

/// The mean over H and W: N×H×W×C → N×C.
package final class GlobalAveragePool: Layer {
  package init() {}

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    preconditionFailure("GlobalAveragePool.forward is on its way")
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    preconditionFailure("GlobalAveragePool.backward is on its way")
  }
}
