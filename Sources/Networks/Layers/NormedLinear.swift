package import Tensors

/// Cosines between features and classes, x/‖x‖ · W/‖W‖ with W's columns normalised: N×in → N×out,
/// the classifier of the LDAM and BKD code. Lengths below 1e-12 count as 1e-12 (`F.normalize`).
package final class NormedLinear: Layer {
  /// [in, out] in a state dict.
  package let weight: Parameter
  private let inputs: Int
  private let outputs: Int
  /// A pointwise convolution of one image whose pixels are the rows.
  private let shape: ConvolutionShape
  private var kept = Kept<Normalized>()
  private static let leastLength: Float = 1e-12

  /// What backward needs: unit rows and columns, and what they were divided by.
  private struct Normalized {
    let rows: Tensor
    let rowLengths: [Float]
    let columns: Tensor
    let columnLengths: [Float]
  }

  package init(_ name: String, in inputs: Int, out outputs: Int) {
    (self.inputs, self.outputs) = (inputs, outputs)
    shape = ConvolutionShape(inputs: inputs, outputs: outputs, kernel: 1)
    weight = Parameter(name + ".weight", .matrix(inputs: inputs, outputs: outputs))
  }

  package var parameters: [Parameter] { [weight] }

  package func forward(_ x: Tensor, mode: Mode, on execution: Execution) -> Tensor {
    precondition(
      x.shape.last == inputs,
      "\(weight.name) takes \(inputs) features, got a tensor of shape \(x.shape)")
    let count = x.count / inputs
    let outer = execution.enter(
      .linear, multiplyAdds: shape.multiplyAdds([count, 1, 1, inputs]))
    defer { execution.leave(outer) }
    let rows = Tensor([count, 1, 1, inputs], in: execution.memory)
    let rowLengths = (0..<count).map { row in
      Self.normalize(x.pointer + row * inputs, into: rows.pointer + row * inputs, inputs) { $0 }
    }
    // Copied whole for the padding; the columns lie scattered in the kernel's layout.
    let columns = Tensor(weight.value.values, shape: weight.value.shape)
    let columnLengths = (0..<outputs).map { column in
      Self.normalize(weight.value.pointer, into: columns.pointer, inputs) { input in
        place(input, column)
      }
    }
    kept.push(
      Normalized(
        rows: rows, rowLengths: rowLengths, columns: columns, columnLengths: columnLengths),
      in: mode)
    return shape.forward(rows, weights: columns, finish: ConvolutionFinish(), on: execution)
      .reshaped([count, outputs])
  }

  package func backward(_ gradient: Tensor, on execution: Execution) -> Tensor {
    let last = kept.pop(weight.name)
    let count = last.rowLengths.count
    let outer = execution.enter(
      .linear, multiplyAdds: 2 * shape.multiplyAdds([count, 1, 1, inputs]))
    defer { execution.leave(outer) }
    let outputGradient = gradient.reshaped([count, 1, 1, outputs])
    let columnGradient = Tensor.zeros(weight.value.shape, in: execution.memory)
    shape.addWeightGradient(last.rows, outputGradient, to: columnGradient, on: execution)
    for column in 0..<outputs {
      Self.addGradient(
        of: last.columns.pointer, length: last.columnLengths[column],
        gradient: columnGradient.pointer, to: weight.gradient.pointer, inputs
      ) { place($0, column) }
    }
    let rowGradient = shape.inputGradient(
      outputGradient, weights: last.columns, height: 1, width: 1, on: execution)
    let inputGradient = Tensor.zeros([count, inputs], in: execution.memory)
    for row in 0..<count {
      let first = row * inputs
      Self.addGradient(
        of: last.rows.pointer + first, length: last.rowLengths[row],
        gradient: rowGradient.pointer + first, to: inputGradient.pointer + first, inputs
      ) { $0 }
    }
    return inputGradient
  }

  /// Where the kernel's layout has a weight.
  private func place(_ input: Int, _ output: Int) -> Int {
    shape.weightIndex(output: output, input: input, tap: 0)
  }

  /// Writes v/‖v‖ for the vector at `place(0..<count)` and gives what it was divided by.
  private static func normalize(
    _ source: UnsafeMutablePointer<Float>, into target: UnsafeMutablePointer<Float>, _ count: Int,
    place: (Int) -> Int
  ) -> Float {
    var sum = 0.0
    for i in 0..<count { sum += Double(source[place(i)]) * Double(source[place(i)]) }
    let length = max(Float(sum.squareRoot()), leastLength)
    for i in 0..<count { target[place(i)] = source[place(i)] / length }
    return length
  }

  /// Adds (g − u·(u·g))/length, the gradient at a vector of unit direction u; a vector shorter than
  /// the least length was divided by a constant, so that only g/length remains.
  private static func addGradient(
    of unit: UnsafeMutablePointer<Float>, length: Float, gradient: UnsafeMutablePointer<Float>,
    to target: UnsafeMutablePointer<Float>, _ count: Int, place: (Int) -> Int
  ) {
    var along = 0.0
    if length > leastLength {
      for i in 0..<count { along += Double(unit[place(i)]) * Double(gradient[place(i)]) }
    }
    for i in 0..<count {
      target[place(i)] += (gradient[place(i)] - unit[place(i)] * Float(along)) / length
    }
  }
}
