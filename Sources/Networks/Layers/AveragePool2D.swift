package import Tensors

/// The mean of each kernel×kernel window; zeros outside the image count.
package final class AveragePool2D: Layer {
  package init(kernel: Int, strides: Int, padding: Int = 0) {}

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    preconditionFailure("AveragePool2D.forward is on its way")
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    preconditionFailure("AveragePool2D.backward is on its way")
  }
}
