package import Tensors

/// How a parameter lies in a state dict: PyTorch's shapes, row-major.
package enum ParameterLayout: Equatable, Sendable {
  /// [out][in/groups][kh][kw]; `inputs` is already divided by `groups`.
  case convolution(outputs: Int, inputs: Int, height: Int, width: Int, groups: Int)
  /// [out][in]
  case linear(outputs: Int, inputs: Int)
  /// [n]
  case vector(Int)

  var stateShape: [Int] {
    switch self {
    case .convolution(let outputs, let inputs, let height, let width, _):
      [outputs, inputs, height, width]
    case .linear(let outputs, let inputs): [outputs, inputs]
    case .vector(let count): [count]
    }
  }
}

/// A trainable array with its gradient.
///
/// `value` and `gradient` lie in the kernel's layout (output channels innermost, padded to blocks;
/// the padding stays zero). Everything outside the kernels reads and writes the state-dict layout.
package final class Parameter {
  /// The full state-dict name, "layer1.0.conv1.weight".
  package let name: String
  package let layout: ParameterLayout
  package let value: Tensor
  package let gradient: Tensor

  init(_ name: String, _ layout: ParameterLayout) {
    self.name = name
    self.layout = layout
    let count = layout.stateShape.reduce(1, *)
    value = Tensor([Float](repeating: 0, count: count), shape: [count])
    gradient = Tensor([Float](repeating: 0, count: count), shape: [count])
  }

  /// PyTorch's shape: [out, in/groups, kh, kw], [out, in] or [n].
  package var stateShape: [Int] { layout.stateShape }

  /// The values in state-dict order.
  package func stateValues() -> [Float] { value.values }

  /// The gradient in state-dict order.
  package func stateGradient() -> [Float] { gradient.values }

  /// Sets the values, given in state-dict order.
  package func setState(_ values: [Float]) {
    precondition(values.count == value.count)
    for (index, element) in values.enumerated() { value.pointer[index] = element }
  }

  /// Sets the gradient to zero.
  package func zeroGradient() {
    gradient.pointer.update(repeating: 0, count: gradient.count)
  }
}

/// A named array that a layer keeps beside its parameters: running statistics and their counter.
package final class StateBuffer {
  /// The full state-dict name, "bn1.running_mean".
  package let name: String
  /// PyTorch's shape; [] for `num_batches_tracked`.
  package let stateShape: [Int]
  /// Whether a state dict holds it as int64 (`num_batches_tracked`) and not as fp32.
  package let isInteger: Bool
  /// The elements, one for an empty shape; a counter is exact up to 2^24 batches.
  package var values: [Float]

  init(_ name: String, shape: [Int], isInteger: Bool = false, repeating value: Float) {
    self.name = name
    stateShape = shape
    self.isInteger = isInteger
    values = [Float](repeating: value, count: shape.reduce(1, *))
  }
}
