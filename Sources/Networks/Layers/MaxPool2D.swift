package import Tensors

/// The largest of each kernel×kernel window; strides = kernel unless given.
package final class MaxPool2D: Layer {
  private let pooling: Pooling
  private var kept: [Tensor] = []

  package init(_ kernel: Int, strides: Int? = nil) {
    pooling = Pooling(.maximum, kernel: kernel, strides: strides ?? kernel)
  }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    if mode == .training { kept.append(x) }
    return pooling.forward(x, on: execution)
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    guard let x = kept.popLast() else {
      preconditionFailure("MaxPool2D: backward without a training forward")
    }
    return pooling.inputGradient(gradient, shape: x.shape, x: x, on: execution)
  }
}
