package import Tensors

/// x·Wᵀ + b: N×in → N×out; a row's bits do not depend on the other rows.
package final class Linear: Layer {
  package let weight: Parameter
  package let bias: Parameter
  /// A pointwise convolution of one image whose pixels are the rows.
  let shape: ConvolutionShape
  private var kept = Kept<Tensor>()

  package init(_ name: String, in inputs: Int, out outputs: Int) {
    shape = ConvolutionShape(inputs: inputs, outputs: outputs, kernel: 1)
    weight = Parameter(name + ".weight", .linear(outputs: outputs, inputs: inputs))
    bias = Parameter(name + ".bias", .vector(outputs))
  }

  package var parameters: [Parameter] { [weight, bias] }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    precondition(
      x.shape.last == shape.inputs,
      "\(weight.name) takes \(shape.inputs) features, got a tensor of shape \(x.shape)")
    let rows = x.reshaped([x.count / shape.inputs, 1, 1, shape.inputs])
    let outer = execution.enter(.linear, multiplyAdds: shape.multiplyAdds(rows.shape))
    defer { execution.leave(outer) }
    kept.push(rows, in: mode)
    return shape.forward(
      rows, weights: weight.value, finish: ConvolutionFinish(shift: bias.value), on: execution
    ).reshaped([rows.shape[0], shape.outputs])
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    let x = kept.pop(weight.name)
    let rows = gradient.reshaped([x.shape[0], 1, 1, shape.outputs])
    let outer = execution.enter(.linear, multiplyAdds: 2 * shape.multiplyAdds(x.shape))
    defer { execution.leave(outer) }
    shape.addWeightGradient(x, rows, to: weight.gradient, on: execution)
    addChannelSums(rows, to: bias.gradient, on: execution)
    return shape.inputGradient(
      rows, weights: weight.value, height: 1, width: 1, on: execution
    ).reshaped([x.shape[0], shape.inputs])
  }
}
