package import Tensors

/// The sum of each kernel×kernel window over kernel²; zeros outside the image count.
package final class AveragePool2D: Layer {
  let pooling: Pooling
  private var kept = Kept<[Int]>()

  package init(kernel: Int, strides: Int, padding: Int = 0) {
    pooling = Pooling(.average, kernel: kernel, strides: strides, padding: padding)
  }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    kept.push(x.shape, in: mode)
    return pooling.forward(x, on: execution)
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    let shape = kept.pop("AveragePool2D")
    return pooling.inputGradient(gradient, shape: shape, x: nil, on: execution)
  }
}
