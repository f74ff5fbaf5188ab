package import Tensors

/// The mean over H and W: N×H×W×C → N×C.
package final class GlobalAveragePool: Layer {
  private var kept = Kept<[Int]>()

  package init() {}

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    kept.push(x.shape, in: mode)
    return globalAverage(x, on: execution)
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    let shape = kept.pop("GlobalAveragePool")
    return globalAverageGradient(gradient, shape: shape, on: execution)
  }
}
