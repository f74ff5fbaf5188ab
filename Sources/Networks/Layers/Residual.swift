package import Tensors

/// main(x) + shortcut(x); the identity without a shortcut.
package final class Residual: Layer {
  package let main: any Layer
  package let shortcut: (any Layer)?
  /// The main branch, if it can add on the way; its last pass may or may not take the addend.
  private let fusingMain: (any FusingLayer)?
  /// The rectified outputs of training forwards whose sum was a pass of its own.
  private var kept = Kept<Tensor?>()

  package init(_ main: any Layer, shortcut: (any Layer)? = nil) {
    self.main = main
    self.shortcut = shortcut
    fusingMain = main as? any FusingLayer
  }

  package var parameters: [Parameter] { main.parameters + (shortcut?.parameters ?? []) }
  package var buffers: [StateBuffer] { main.buffers + (shortcut?.buffers ?? []) }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    forward(x, addend: nil, rectify: false, mode: mode, on: execution)
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    backward(gradient, on: execution, beside: { _ in nil })
  }
}

extension Residual: FusingLayer {
  var fuses: Bool { true }

  func forward(
    _ x: Tensor, addend: Tensor?, rectify: Bool, mode: Mode, on execution: Execution
  ) -> Tensor {
    var side = shortcut?.forward(x, mode: mode, on: execution) ?? x
    if let addend { side = sum(side, addend, rectify: false, on: execution) }
    if let fusingMain, fusingMain.fuses {
      return fusingMain.forward(x, addend: side, rectify: rectify, mode: mode, on: execution)
    }
    let y = sum(
      main.forward(x, mode: mode, on: execution), side, rectify: rectify, on: execution)
    kept.push(rectify ? y : nil, in: mode)
    return y
  }

  func backward(
    _ gradient: Tensor, on execution: Execution, beside: (Tensor) -> Tensor?
  ) -> Tensor {
    func side(_ before: Tensor) -> Tensor? {
      let side = shortcut?.backward(before, on: execution) ?? before
      guard let addend = beside(before) else { return side }
      return sum(side, addend, rectify: false, on: execution)
    }
    if let fusingMain, fusingMain.fuses {
      return fusingMain.backward(gradient, on: execution, beside: side)
    }
    let y = kept.pop("Residual")
    let before = y.map { rectifiedGradient(gradient, output: $0, on: execution) } ?? gradient
    if let fusingMain {
      return fusingMain.backward(before, on: execution, beside: side)
    }
    let input = main.backward(before, on: execution)
    guard let addend = side(before) else { return input }
    return sum(input, addend, rectify: false, on: execution)
  }
}
