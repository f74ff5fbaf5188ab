package import Tensors

/// main(x) + shortcut(x); the identity without a shortcut.
package final class Residual: Layer {
  package let main: any Layer
  package let shortcut: (any Layer)?

  package init(_ main: any Layer, shortcut: (any Layer)? = nil) {
    self.main = main
    self.shortcut = shortcut
  }

  package var parameters: [Parameter] { main.parameters + (shortcut?.parameters ?? []) }
  package var buffers: [StateBuffer] { main.buffers + (shortcut?.buffers ?? []) }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    preconditionFailure("Residual.forward is on its way")
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    preconditionFailure("Residual.backward is on its way")
  }
}
