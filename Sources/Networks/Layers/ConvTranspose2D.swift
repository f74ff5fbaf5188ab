package import Tensors

/// The transpose of a convolution: N×H×W×in to N×H'×W'×out, H' = (H − 1)·strides − 2·padding + kernel.
package final class ConvTranspose2D: Layer {
  package let weight: Parameter
  package let bias: Parameter?
  /// The convolution from `out` to `in` channels whose input gradient is this layer's output.
  let shape: ConvolutionShape
  private var kept = Kept<Tensor>()

  /// - Parameter name: the state-dict prefix; the weight's state shape is [in][out][kh][kw].
  package init(
    _ name: String, in inputs: Int, out outputs: Int, kernel: Int, strides: Int = 1,
    padding: Int = 0, bias: Bool = false
  ) {
    shape = ConvolutionShape(
      inputs: outputs, outputs: inputs, kernel: kernel, strides: strides, padding: padding)
    weight = Parameter(
      name + ".weight", .convolution(outputs: inputs, inputs: outputs, kernel: kernel, groups: 1))
    self.bias = bias ? Parameter(name + ".bias", .vector(outputs)) : nil
  }

  package var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }

  func outputSize(_ size: Int) -> Int {
    (size - 1) * shape.strides - 2 * shape.padding + shape.kernel
  }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    precondition(
      x.shape.count == 4 && x.shape[3] == shape.outputs,
      "\(weight.name) takes \(shape.outputs) channels, got a tensor of shape \(x.shape)")
    kept.push(x, in: mode)
    let (height, width) = (outputSize(x.shape[1]), outputSize(x.shape[2]))
    let outer = execution.enter(
      .convolution, multiplyAdds: shape.multiplyAdds([x.shape[0], height, width, shape.inputs]))
    defer { execution.leave(outer) }
    return shape.inputGradient(
      x, weights: weight.value, height: height, width: width,
      finish: ConvolutionFinish(shift: bias?.value), on: execution)
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    let x = kept.pop(weight.name)
    let outer = execution.enter(
      .convolution, multiplyAdds: 2 * shape.multiplyAdds(gradient.shape))
    defer { execution.leave(outer) }
    shape.addWeightGradient(gradient, x, to: weight.gradient, on: execution)
    if let bias { addChannelSums(gradient, to: bias.gradient, on: execution) }
    return shape.forward(gradient, weights: weight.value, on: execution)
  }
}
