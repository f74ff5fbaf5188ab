package import Tensors

/// The transpose of a convolution: N×H×W×in to N×H'×W'×out, H' = (H − 1)·strides − 2·padding + kernel.
package final class ConvTranspose2D: Layer {
  package let weight: Parameter
  package let bias: Parameter?

  /// - Parameter name: the state-dict prefix; the weight's state shape is [in][out][kh][kw].
  package init(
    _ name: String, in inputs: Int, out outputs: Int, kernel: Int, strides: Int = 1,
    padding: Int = 0, bias: Bool = false
  ) {
    weight = Parameter(
      name + ".weight",
      .convolution(outputs: inputs, inputs: outputs, height: kernel, width: kernel, groups: 1))
    self.bias = bias ? Parameter(name + ".bias", .vector(outputs)) : nil
  }

  package var parameters: [Parameter] { [weight] + (bias.map { [$0] } ?? []) }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    preconditionFailure("ConvTranspose2D.forward is on its way")
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    preconditionFailure("ConvTranspose2D.backward is on its way")
  }
}
