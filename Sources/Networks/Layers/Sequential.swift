package import Tensors

/// Layers one after another.
package final class Sequential: Layer {
  package let layers: [any Layer]

  package init(_ layers: [any Layer]) { self.layers = layers }

  package var parameters: [Parameter] { layers.flatMap(\.parameters) }
  package var buffers: [StateBuffer] { layers.flatMap(\.buffers) }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    var x = x
    for layer in layers { x = layer.forward(x, mode: mode, on: execution) }
    return x
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    var gradient = gradient
    for layer in layers.reversed() { gradient = layer.backward(gradient, on: execution) }
    return gradient
  }
}
