package import Tensors

/// x·Wᵀ + b: N×in → N×out.
package final class Linear: Layer {
  package let weight: Parameter
  package let bias: Parameter

  package init(_ name: String, in inputs: Int, out outputs: Int) {
    weight = Parameter(name + ".weight", .linear(outputs: outputs, inputs: inputs))
    bias = Parameter(name + ".bias", .vector(outputs))
  }

  package var parameters: [Parameter] { [weight, bias] }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    preconditionFailure("Linear.forward is on its way")
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    preconditionFailure("Linear.backward is on its way")
  }
}
