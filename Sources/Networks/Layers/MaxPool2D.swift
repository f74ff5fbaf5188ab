package import Tensors

/// The largest of each kernel×kernel window; strides = kernel unless given.
package final class MaxPool2D: Layer {
  let pooling: Pooling
  private let onlyHeight: Int?
  private var kept = Kept<Tensor>()

  /// - Parameter onlyAtHeight: the one height of x at which it pools; x of another passes unchanged.
  package init(_ kernel: Int, strides: Int? = nil, onlyAtHeight: Int? = nil) {
    pooling = Pooling(.maximum, kernel: kernel, strides: strides ?? kernel)
    onlyHeight = onlyAtHeight
  }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    kept.push(x, in: mode)
    return passes(height: x.shape[1]) ? x : pooling.forward(x, on: execution)
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    let x = kept.pop("MaxPool2D")
    if passes(height: x.shape[1]) { return gradient }
    return pooling.inputGradient(gradient, shape: x.shape, x: x, on: execution)
  }

  /// Whether an image of this height is left as it is.
  func passes(height: Int) -> Bool { onlyHeight.map { $0 != height } ?? false }
}
