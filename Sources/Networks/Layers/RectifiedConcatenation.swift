package import Tensors

/// The channels of main(x), then those of shortcut(x), all rectified on the way.
package final class RectifiedConcatenation: Layer {
  let main: Sequential
  let shortcut: any Layer
  private var kept = Kept<(output: Tensor, mainChannels: Int)>()

  package init(_ main: Sequential, beside shortcut: any Layer) {
    self.main = main
    self.shortcut = shortcut
  }

  package var parameters: [Parameter] { main.parameters + shortcut.parameters }
  package var buffers: [StateBuffer] { main.buffers + shortcut.buffers }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    let a = main.forward(x, mode: mode, on: execution)
    let b = shortcut.forward(x, mode: mode, on: execution)
    let y = concatenated(a, b, rectify: true, on: execution)
    kept.push((y, a.shape[a.shape.count - 1]), in: mode)
    return y
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    let last = kept.pop("RectifiedConcatenation")
    let (a, b) = separated(
      gradient, first: last.mainChannels, output: last.output, on: execution)
    let side = shortcut.backward(b, on: execution)
    return main.backward(a, on: execution, beside: { _ in side })
  }
}
