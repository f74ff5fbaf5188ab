package import Tensors

/// The mean over H and W: N×H×W×C → N×C.
package final class GlobalAveragePool: Layer {
  private var kept: [[Int]] = []

  package init() {}

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    if mode == .training { kept.append(x.shape) }
    return globalAverage(x, on: execution)
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    guard let shape = kept.popLast() else {
      preconditionFailure("GlobalAveragePool: backward without a training forward")
    }
    return globalAverageGradient(gradient, shape: shape, on: execution)
  }
}
