package import Tensors

/// The largest of each kernel×kernel window, strides = kernel.
package final class MaxPool2D: Layer {
  package init(_ kernel: Int, strides: Int? = nil) {}

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    preconditionFailure("MaxPool2D.forward is on its way")
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    preconditionFailure("MaxPool2D.backward is on its way")
  }
}
