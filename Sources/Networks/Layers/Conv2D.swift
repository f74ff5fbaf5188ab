package import Tensors

/// A convolution of N×H×W×in images to N×H'×W'×out, H' = (H + 2·padding − kernel)/strides + 1.
package final class Conv2D: Layer {
  package let weight: Parameter
  package let bias: Parameter?
  let shape: ConvolutionShape
  private let isInput: Bool
  private var kept = Kept<Tensor>()

  /// - Parameters:
  ///   - name: the state-dict prefix; parameters are `name.weight` and `name.bias`.
  ///   - isInput: whether this is a network's first layer, whose input gradient nobody needs;
  ///     `backward` then returns an empty tensor.
  package init(
    _ name: String, in inputs: Int, out outputs: Int, kernel: Int = 3, strides: Int = 1,
    padding: Int = 0, groups: Int = 1, bias: Bool = false, isInput: Bool = false
  ) {
    shape = ConvolutionShape(
      inputs: inputs, outputs: outputs, kernel: kernel, strides: strides, padding: padding,
      groups: groups)
    weight = Parameter(
      name + ".weight",
      .convolution(outputs: outputs, inputs: inputs / groups, kernel: kernel, groups: groups))
    self.bias = bias ? Parameter(name + ".bias", .vector(outputs)) : nil
    self.isInput = isInput
  }

  package var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    let outer = execution.enter(.convolution, multiplyAdds: shape.multiplyAdds(x.shape))
    defer { execution.leave(outer) }
    kept.push(x, in: mode)
    return shape.forward(
      x, weights: weight.value, finish: ConvolutionFinish(shift: bias?.value), on: execution)
  }

  /// The convolution in inference mode, normalised, added to and rectified in its last step.
  func forward(
    _ x: Tensor, norm: NormalizationFactors, addend: Tensor?, rectify: Bool,
    on execution: Execution
  ) -> Tensor {
    let outer = execution.enter(.convolution, multiplyAdds: shape.multiplyAdds(x.shape))
    defer { execution.leave(outer) }
    var shift = norm.shift
    if let bias {
      shift = .zeros(norm.shift.shape, in: execution.memory)
      for c in 0..<shape.outputs {
        shift.pointer[c] = (bias.value.pointer[c] * norm.scale.pointer[c]) + norm.shift.pointer[c]
      }
    }
    let finish = ConvolutionFinish(
      scale: norm.scale, shift: shift, addend: addend, rectify: rectify)
    return shape.forward(x, weights: weight.value, finish: finish, on: execution)
  }

  /// Whether the sums can take an addend before they are stored.
  var takesAddend: Bool { !shape.isDepthwise }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    backward(gradient, addingTo: nil, on: execution)
  }

  /// The gradient at the input, plus `addend`.
  func backward(
    _ gradient: Tensor, addingTo addend: Tensor?, on execution: Execution
  ) -> Tensor {
    let x = kept.pop(weight.name)
    let outer = execution.enter(
      .convolution, multiplyAdds: (isInput ? 1 : 2) * shape.multiplyAdds(x.shape))
    defer { execution.leave(outer) }
    shape.addWeightGradient(x, gradient, to: weight.gradient, on: execution)
    if let bias { addChannelSums(gradient, to: bias.gradient, on: execution) }
    if isInput { return Tensor([0], in: execution.memory) }
    return shape.inputGradient(
      gradient, weights: weight.value, height: x.shape[1], width: x.shape[2],
      finish: ConvolutionFinish(addend: addend), on: execution)
  }
}
