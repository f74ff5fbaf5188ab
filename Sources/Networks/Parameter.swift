package import Tensors

/// How a parameter lies in a state dict: PyTorch's shapes, row-major.
package enum ParameterLayout: Equatable, Sendable {
  /// [out][in/groups][kh][kw]; `inputs` is already divided by `groups`.
  case convolution(outputs: Int, inputs: Int, kernel: Int, groups: Int)
  /// [out][in]
  case linear(outputs: Int, inputs: Int)
  /// [in][out]: a matrix that is multiplied from the right.
  case matrix(inputs: Int, outputs: Int)
  /// [n]
  case vector(Int)

  var stateShape: [Int] {
    switch self {
    case .convolution(let outputs, let inputs, let kernel, _): [outputs, inputs, kernel, kernel]
    case .linear(let outputs, let inputs): [outputs, inputs]
    case .matrix(let inputs, let outputs): [inputs, outputs]
    case .vector(let count): [count]
    }
  }

  /// The number of floats in the kernel's layout, padding included.
  var kernelCount: Int {
    switch self {
    case .vector(let count): padded(count)
    default: shape?.weightCount ?? 0
    }
  }

  /// Calls `body` with every element's place in the state dict and in the kernel's layout.
  func forEach(_ body: (_ state: Int, _ kernel: Int) -> Void) {
    guard let shape else {
      for index in 0..<stateShape[0] { body(index, index) }
      return
    }
    if case .matrix = self {
      for input in 0..<shape.inputs {
        for output in 0..<shape.outputs {
          body(
            input * shape.outputs + output,
            shape.weightIndex(output: output, input: input, tap: 0))
        }
      }
      return
    }
    let inputs = shape.inputs / shape.groups
    let taps = shape.kernel * shape.kernel
    for output in 0..<shape.outputs {
      for input in 0..<inputs {
        for tap in 0..<taps {
          body(
            (output * inputs + input) * taps + tap,
            shape.weightIndex(output: output, input: input, tap: tap))
        }
      }
    }
  }

  private var shape: ConvolutionShape? {
    switch self {
    case .convolution(let outputs, let inputs, let kernel, let groups):
      ConvolutionShape(inputs: inputs * groups, outputs: outputs, kernel: kernel, groups: groups)
    case .linear(let outputs, let inputs), .matrix(let inputs, let outputs):
      ConvolutionShape(inputs: inputs, outputs: outputs, kernel: 1)
    case .vector: nil
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

  package init(_ name: String, _ layout: ParameterLayout, repeating value: Float = 0) {
    self.name = name
    self.layout = layout
    let zeros = [Float](repeating: 0, count: layout.kernelCount)
    self.value = Tensor(zeros, shape: [zeros.count])
    gradient = Tensor(zeros, shape: [zeros.count])
    if value != 0 { setState([Float](repeating: value, count: stateCount)) }
  }

  /// PyTorch's shape: [out, in/groups, kh, kw], [out, in], [in, out] or [n].
  package var stateShape: [Int] { layout.stateShape }

  private var stateCount: Int { stateShape.reduce(1, *) }

  /// The values in state-dict order.
  package func stateValues() -> [Float] { state(of: value) }

  /// The gradient in state-dict order.
  package func stateGradient() -> [Float] { state(of: gradient) }

  /// Sets the values, given in state-dict order.
  package func setState(_ values: [Float]) { setState(values, of: value) }

  /// Sets the gradient to zero.
  package func zeroGradient() {
    gradient.pointer.update(repeating: 0, count: gradient.count)
  }

  /// The elements of a tensor in this parameter's kernel layout, in state-dict order.
  func state(of tensor: Tensor) -> [Float] {
    var values = [Float](repeating: 0, count: stateCount)
    values.withUnsafeMutableBufferPointer { values in
      layout.forEach { state, kernel in values[state] = tensor.pointer[kernel] }
    }
    return values
  }

  func setState(_ values: [Float], of tensor: Tensor) {
    precondition(
      values.count == stateCount,
      "\(name) of shape \(stateShape) was given \(values.count) values")
    values.withUnsafeBufferPointer { values in
      layout.forEach { state, kernel in tensor.pointer[kernel] = values[state] }
    }
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
