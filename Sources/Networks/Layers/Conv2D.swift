package import Tensors

/// A convolution of N×H×W×in images to N×H'×W'×out, H' = (H + 2·padding − kernel)/strides + 1.
package final class Conv2D: Layer {
  package let weight: Parameter
  package let bias: Parameter?

  /// - Parameters:
  ///   - name: the state-dict prefix; parameters are `name.weight` and `name.bias`.
  ///   - isInput: whether this is a network's first layer, whose input gradient nobody needs;
  ///     `backward` then returns an empty tensor.
  package init(
    _ name: String, in inputs: Int, out outputs: Int, kernel: Int = 3, strides: Int = 1,
    padding: Int = 0, groups: Int = 1, bias: Bool = false, isInput: Bool = false
  ) {
    weight = Parameter(
      name + ".weight",
      .convolution(
        outputs: outputs, inputs: inputs / groups, height: kernel, width: kernel, groups: groups))
    self.bias = bias ? Parameter(name + ".bias", .vector(outputs)) : nil
  }

  package var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    preconditionFailure("Conv2D.forward is on its way")
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    preconditionFailure("Conv2D.backward is on its way")
  }
}
