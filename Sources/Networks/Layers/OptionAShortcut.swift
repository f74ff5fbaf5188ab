package import Tensors

/// x[::strides, ::strides] between zero planes, half of the new ones before and half after
/// (shortcut A of arXiv 1512.03385): N×H×W×in → N×⌈H/strides⌉×⌈W/strides⌉×out.
package final class OptionAShortcut: Layer {
  let inputs: Int
  let outputs: Int
  let strides: Int
  private var kept = Kept<[Int]>()

  package init(in inputs: Int, out outputs: Int, strides: Int) {
    precondition(
      outputs >= inputs && strides > 0,
      "shortcut A cannot go from \(inputs) to \(outputs) channels with strides \(strides)")
    self.inputs = inputs
    self.outputs = outputs
    self.strides = strides
  }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    precondition(
      x.shape.count == 4 && x.shape[3] == inputs,
      "shortcut A takes \(inputs) channels, got a tensor of shape \(x.shape)")
    let outer = execution.enter(.elementwise)
    defer { execution.leave(outer) }
    kept.push(x.shape, in: mode)
    let (h, w) = ((x.shape[1] + strides - 1) / strides, (x.shape[2] + strides - 1) / strides)
    let y = Tensor.zeros([x.shape[0], h, w, outputs], in: execution.memory)
    eachPixel(shape: x.shape, on: execution) { small, large in
      (y.pointer + small).update(from: x.pointer + large, count: inputs)
    }
    return y
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    let shape = kept.pop("OptionAShortcut")
    let outer = execution.enter(.elementwise)
    defer { execution.leave(outer) }
    let target = Tensor.zeros(shape, in: execution.memory)
    eachPixel(shape: shape, on: execution) { small, large in
      (target.pointer + large).update(from: gradient.pointer + small, count: inputs)
    }
    return target
  }

  /// Calls `body` with the offsets of the first copied channel in the output and in the input.
  private func eachPixel(shape: [Int], on execution: Execution, _ body: (Int, Int) -> Void) {
    let (height, width) = (shape[1], shape[2])
    let (h, w) = ((height + strides - 1) / strides, (width + strides - 1) / strides)
    let before = (outputs - inputs) / 2
    execution.parallel(shape[0]) { image in
      for y in 0..<h {
        for x in 0..<w {
          body(
            ((image * h + y) * w + x) * outputs + before,
            ((image * height + y * strides) * width + x * strides) * inputs)
        }
      }
    }
  }
}
