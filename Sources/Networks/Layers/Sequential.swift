package import Tensors

/// Layers one after another.
///
/// Neighbours are fused where that saves a pass over memory: batch norm or residual + ReLU, and in
/// inference convolution + batch norm (+ ReLU). The results are those of the layers one by one, up
/// to rounding.
package final class Sequential: Layer {
  package let layers: [any Layer]
  private let steps: [Step]

  package init(_ layers: [any Layer]) {
    precondition(!layers.isEmpty, "a Sequential needs at least one layer")
    self.layers = layers
    steps = Sequential.steps(layers)
  }

  package var parameters: [Parameter] { layers.flatMap(\.parameters) }
  package var buffers: [StateBuffer] { layers.flatMap(\.buffers) }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    forward(x, addend: nil, rectify: false, mode: mode, on: execution)
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    backward(gradient, on: execution, beside: { _ in nil })
  }

  /// One or more neighbouring layers that run as one.
  private enum Step {
    case single(any Layer)
    /// `rectify`: a ReLU follows.
    case fusing(any FusingLayer, rectify: Bool)
    case normalized(Conv2D, BatchNorm2D, rectify: Bool)
  }

  private static func steps(_ layers: [any Layer]) -> [Step] {
    var steps: [Step] = []
    for layer in layers {
      switch (steps.last, layer) {
      case (.single(let conv as Conv2D)?, let norm as BatchNorm2D):
        steps[steps.count - 1] = .normalized(conv, norm, rectify: false)
      case (.fusing(let fusing, rectify: false)?, is ReLU):
        steps[steps.count - 1] = .fusing(fusing, rectify: true)
      case (.normalized(let conv, let norm, rectify: false)?, is ReLU):
        steps[steps.count - 1] = .normalized(conv, norm, rectify: true)
      case (_, let fusing as any FusingLayer) where fusing.fuses:
        steps.append(.fusing(fusing, rectify: false))
      default: steps.append(.single(layer))
      }
    }
    return steps
  }
}

extension Sequential: FusingLayer {
  var fuses: Bool {
    switch steps.last {
    case .fusing(_, rectify: false), .normalized(_, _, rectify: false): true
    default: false
    }
  }

  func forward(
    _ x: Tensor, addend: Tensor?, rectify: Bool, mode: Mode, on execution: Execution
  ) -> Tensor {
    var x = x
    for (index, step) in steps.enumerated() {
      let last = index == steps.count - 1
      let (addend, rectifyLast) = last ? (addend, rectify) : (nil, false)
      switch step {
      case .single(let layer): x = layer.forward(x, mode: mode, on: execution)
      case .fusing(let layer, let rectify):
        x = layer.forward(
          x, addend: addend, rectify: rectify || rectifyLast, mode: mode, on: execution)
      case .normalized(let conv, let norm, let rectify):
        let rectify = rectify || rectifyLast
        if mode == .inference && (addend == nil || conv.takesAddend) {
          x = conv.forward(
            x, norm: norm.inferenceFactors(in: execution.memory), addend: addend,
            rectify: rectify, on: execution)
        } else {
          x = conv.forward(x, mode: mode, on: execution)
          x = norm.forward(x, addend: addend, rectify: rectify, mode: mode, on: execution)
        }
      }
    }
    return x
  }

  func backward(
    _ gradient: Tensor, on execution: Execution, beside: (Tensor) -> Tensor?
  ) -> Tensor {
    var gradient = gradient
    // A branch that does not fuse was added to behind its end, rectifier and all.
    var addend = fuses ? nil : beside(gradient)
    for (index, step) in steps.enumerated().reversed() {
      let (isFirst, isLast) = (index == 0, index == steps.count - 1)
      // One that fuses learns the gradient before its rectifier; the first step adds what came of it.
      func meet(_ before: Tensor) -> Tensor? {
        if isLast && fuses { addend = beside(before) }
        return isFirst ? addend : nil
      }
      switch step {
      case .single(let layer):
        gradient = backward(
          gradient, through: layer, addingTo: meet(gradient), on: execution)
      case .fusing(let layer, _):
        gradient = layer.backward(gradient, on: execution, beside: meet)
      case .normalized(let conv, let norm, _):
        var before: Tensor?
        gradient = norm.backward(gradient, on: execution) {
          before = meet($0)
          return nil
        }
        gradient = conv.backward(gradient, addingTo: before, on: execution)
      }
    }
    return gradient
  }

  private func backward(
    _ gradient: Tensor, through layer: any Layer, addingTo addend: Tensor?, on execution: Execution
  ) -> Tensor {
    if let conv = layer as? Conv2D {
      return conv.backward(gradient, addingTo: addend, on: execution)
    }
    if let fusing = layer as? any FusingLayer {
      return fusing.backward(gradient, on: execution, beside: { _ in addend })
    }
    let input = layer.backward(gradient, on: execution)
    guard let addend else { return input }
    return sum(input, addend, rectify: false, on: execution)
  }
}
