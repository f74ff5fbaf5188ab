package import Tensors

/// A stage of ShuffleNet V2 (arXiv 1807.11164, figure 3): two images, of which only one passes a unit
/// before their channels are shuffled and cut into two halves again.
///
/// The two start as left(x) and right(x). Each unit takes the upper half of the shuffled channels; the
/// lower half waits. The output is the last two images, shuffled into one: N×H'×W'×2n.
///
/// Between units the two are never joined: one pass shuffles and cuts.
package final class ShuffledHalves: Layer {
  let left: any Layer
  let right: Sequential
  let units: [any Layer]

  package init(left: any Layer, right: Sequential, units: [any Layer]) {
    self.left = left
    self.right = right
    self.units = units
  }

  private var layers: [any Layer] { [left, right] + units }

  package var parameters: [Parameter] { layers.flatMap(\.parameters) }
  package var buffers: [StateBuffer] { layers.flatMap(\.buffers) }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    var waiting = left.forward(x, mode: mode, on: execution)
    var passed = right.forward(x, mode: mode, on: execution)
    for unit in units {
      let halves = interleavedHalves(waiting, passed, on: execution)
      waiting = halves.low
      passed = unit.forward(halves.high, mode: mode, on: execution)
    }
    return interleaved(waiting, passed, on: execution)
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    var (waiting, passed) = deinterleaved(gradient, on: execution)
    for unit in units.reversed() {
      let high = unit.backward(passed, on: execution)
      (waiting, passed) = deinterleaved(low: waiting, high: high, on: execution)
    }
    let side = left.backward(waiting, on: execution)
    return right.backward(passed, on: execution, beside: { _ in side })
  }
}
