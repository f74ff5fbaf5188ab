import Tensors
import TestSupport
import Testing

/// One size of a convolution under test.
struct ConvolutionCase: CustomTestStringConvertible, Sendable {
  var inputs = 16
  var outputs = 16
  var kernel = 3
  var strides = 1
  var padding = 1
  var groups = 1
  var height = 5
  var width = 7
  var images = 3

  var testDescription: String {
    "\(inputs)→\(outputs) kernel \(kernel)/\(strides) padding \(padding) groups \(groups) "
      + "on \(images)×\(height)×\(width)"
  }

  var reference: ConvolutionReference {
    ConvolutionReference(
      shape: ConvolutionShape(
        inputs: inputs, outputs: outputs, kernel: kernel, strides: strides, padding: padding,
        groups: groups),
      height: height, width: width, images: images)
  }

  static let sizes: [ConvolutionCase] = [
    .init(), .init(height: 32, width: 32, images: 2), .init(inputs: 3, height: 32, width: 32),
    .init(inputs: 64, outputs: 64, height: 8, width: 8),
    .init(height: 64, width: 64, images: 1), .init(height: 1, width: 1, images: 9),
    .init(inputs: 48, outputs: 32, height: 2, width: 2, images: 5),
    .init(height: 1, width: 9), .init(height: 9, width: 1), .init(height: 2, width: 3),
    .init(inputs: 24, outputs: 40, height: 4, width: 4, images: 19),
    .init(inputs: 5, outputs: 23, height: 6, width: 6),
    .init(inputs: 1, outputs: 1, height: 3, width: 3),
    .init(inputs: 16, outputs: 32, strides: 2, height: 16, width: 16),
    .init(inputs: 16, outputs: 32, strides: 2, height: 15, width: 17),
    .init(inputs: 8, outputs: 24, strides: 2, height: 1, width: 2),
    .init(inputs: 16, outputs: 32, kernel: 1, padding: 0, height: 13, width: 11),
    .init(inputs: 37, outputs: 10, kernel: 1, padding: 0, height: 1, width: 1, images: 150),
    .init(inputs: 16, outputs: 32, kernel: 1, strides: 2, padding: 0, height: 8, width: 8),
    .init(inputs: 16, outputs: 8, kernel: 1, strides: 2, padding: 0, height: 7, width: 5),
    .init(inputs: 6, outputs: 20, kernel: 5, padding: 2, height: 6, width: 9),
    .init(inputs: 6, outputs: 20, kernel: 2, strides: 2, padding: 0, height: 6, width: 9),
    .init(inputs: 6, outputs: 20, kernel: 4, strides: 2, height: 8, width: 6),
    .init(inputs: 4, outputs: 16, kernel: 7, strides: 2, padding: 3, height: 14, width: 9),
    .init(inputs: 16, outputs: 16, padding: 0, height: 3, width: 8),
    .init(inputs: 24, outputs: 60, kernel: 1, padding: 0, groups: 3),
    .init(inputs: 32, outputs: 64, groups: 4), .init(inputs: 10, outputs: 20, groups: 10),
    .init(inputs: 20, outputs: 20, groups: 20), .init(inputs: 64, outputs: 64, groups: 64),
    .init(inputs: 16, outputs: 16, strides: 2, groups: 16, height: 9, width: 8),
    .init(inputs: 160, outputs: 160, height: 8, width: 8, images: 1),
    .init(inputs: 27, outputs: 27, groups: 27, height: 11, width: 13),
    .init(inputs: 40, outputs: 40, strides: 2, groups: 40, height: 11, width: 14),
    .init(inputs: 9, outputs: 9, strides: 2, groups: 9, height: 1, width: 2),
    .init(inputs: 9, outputs: 9, groups: 9, height: 2, width: 1),
    .init(inputs: 12, outputs: 12, kernel: 5, strides: 2, padding: 2, groups: 12, height: 9),
    .init(inputs: 12, outputs: 12, strides: 3, groups: 12, height: 9, width: 10),
  ]

  /// Whole and partial tiles, blocks and batches; images smaller than a tile too.
  static let winograd: [ConvolutionCase] = [
    .init(), .init(height: 32, width: 32, images: 2),
    .init(inputs: 64, outputs: 64, height: 8, width: 8), .init(height: 64, width: 64, images: 1),
    .init(height: 1, width: 1, images: 9), .init(height: 2, width: 3),
    .init(inputs: 24, outputs: 40, height: 4, width: 4, images: 19),
    .init(inputs: 5, outputs: 23, height: 6, width: 6),
    .init(inputs: 1, outputs: 1, height: 3, width: 3),
    .init(inputs: 33, outputs: 70, height: 9, width: 13, images: 7),
    .init(inputs: 160, outputs: 160, height: 8, width: 8, images: 1),
    .init(inputs: 16, outputs: 16, height: 224, width: 224, images: 1),
    .init(inputs: 64, outputs: 64, height: 7, width: 7, images: 130),
  ]
}

/// The kernels of every shape against the definition.
@Suite struct ConvolutionTests {
  @Test(
    "The direct kernels agree with the definition in double precision",
    arguments: ConvolutionCase.sizes)
  func directAgreesWithDefinition(_ size: ConvolutionCase) {
    agreesWithDefinition(size, .direct, tolerance: 2e-6)
  }

  /// A tenth of the 1e-4 that Winograd's gradients may differ from those of the direct kernels.
  @Test(
    "Winograd's method agrees with the definition in double precision",
    arguments: ConvolutionCase.winograd)
  func winogradAgreesWithDefinition(_ size: ConvolutionCase) {
    agreesWithDefinition(size, .winograd, tolerance: 1e-5)
  }

  private func agreesWithDefinition(
    _ size: ConvolutionCase, _ method: ConvolutionMethod, tolerance: Double
  ) {
    let execution = Execution(threads: 2, convolutions: method)
    let reference = size.reference
    let shape = reference.shape
    var random = SplitMix64(state: 1)
    let x = random.floats(size.images * size.height * size.width * size.inputs)
    let w = random.floats(
      size.outputs * size.inputs / size.groups * size.kernel * size.kernel)
    let outputShape = [
      size.images, reference.outputHeight, reference.outputWidth, size.outputs,
    ]
    let dy = random.floats(outputShape.reduce(1, *))
    let input = Tensor(x, shape: [size.images, size.height, size.width, size.inputs])
    let gradient = Tensor(dy, shape: outputShape)
    let weights = reference.packed(w)

    let y = shape.forward(input, weights: weights, on: execution)
    #expect(y.shape == outputShape)
    #expect(relativeError(y.values, reference.forward(x, w)) < tolerance)

    let dx = shape.inputGradient(
      gradient, weights: weights, height: size.height, width: size.width,
      on: execution)
    #expect(dx.shape == input.shape)
    #expect(relativeError(dx.values, reference.inputGradient(w, dy)) < tolerance)

    let dw = Tensor([Float](repeating: 0, count: shape.weightCount), shape: [shape.weightCount])
    shape.addWeightGradient(input, gradient, to: dw, on: execution)
    let expected = reference.weightGradient(x, dy)
    #expect(relativeError(reference.unpacked(dw), expected) < 1.5 * tolerance)
    // It adds: a second call doubles the sums.
    shape.addWeightGradient(input, gradient, to: dw, on: execution)
    #expect(relativeError(reference.unpacked(dw), expected.map { 2 * $0 }) < 1.5 * tolerance)
    // The padding of the last block stays zero, or weight decay would not be the identity there.
    let inside = reference.unpacked(dw).reduce(0.0) { $0 + abs(Double($1)) }
    #expect(abs(dw.values.reduce(0.0) { $0 + abs(Double($1)) } - inside) <= 1e-9 * inside)
  }

  @Test(
    "Scale, shift, addend and rectifier act in this order on the finished sums",
    arguments: [(ConvolutionMethod.direct, 2e-6), (.winograd, 1e-5)])
  func finishesInOrder(method: ConvolutionMethod, tolerance: Double) {
    let execution = Execution(threads: 2, convolutions: method)
    var size = ConvolutionCase()
    size.outputs = 21
    let reference = size.reference
    var random = SplitMix64(state: 2)
    let x = random.floats(size.images * size.height * size.width * size.inputs)
    let w = random.floats(size.outputs * size.inputs * 9)
    let (scale, shift) = (random.floats(padded(21)), random.floats(padded(21)))
    let outputShape = [size.images, size.height, size.width, size.outputs]
    let addend = random.floats(outputShape.reduce(1, *))
    let y = reference.shape.forward(
      Tensor(x, shape: [size.images, size.height, size.width, size.inputs]),
      weights: reference.packed(w),
      finish: ConvolutionFinish(
        scale: Tensor(scale, shape: [scale.count]), shift: Tensor(shift, shape: [shift.count]),
        addend: Tensor(addend, shape: outputShape), rectify: true),
      on: execution)
    let expected = reference.forward(x, w).enumerated().map { index, sum in
      let c = index % size.outputs
      return max(0, sum * Double(scale[c]) + Double(shift[c]) + Double(addend[index]))
    }
    #expect(relativeError(y.values, expected) < tolerance)
  }

  @Test(
    "A weight gradient's bits do not depend on the threads",
    arguments: [ConvolutionMethod.direct, .winograd])
  func gradientBitsDependOnTheShapesAlone(method: ConvolutionMethod) {
    for (inputs, outputs, side, images) in [(16, 20, 32, 21), (80, 48, 8, 150), (160, 96, 5, 9)] {
      let size = ConvolutionCase(
        inputs: inputs, outputs: outputs, height: side, width: side, images: images)
      var random = SplitMix64(state: 4)
      let x = Tensor(
        random.floats(images * side * side * inputs), shape: [images, side, side, inputs])
      let dy = Tensor(
        random.floats(images * side * side * outputs), shape: [images, side, side, outputs])
      let shape = size.reference.shape
      func gradient(threads: Int) -> [Float] {
        let dw = Tensor([Float](repeating: 0, count: shape.weightCount), shape: [shape.weightCount])
        shape.addWeightGradient(
          x, dy, to: dw, on: Execution(threads: threads, convolutions: method))
        return dw.values
      }
      let one = gradient(threads: 1)
      #expect(sameBits(gradient(threads: 2), one))
      #expect(sameBits(gradient(threads: 5), one))
    }
  }

  @Test("An image's output bits depend neither on the batch around it nor on the threads")
  func bitsDependOnTheImageAlone() {
    for (inputs, outputs, side) in [
      (16, 16, 32), (64, 64, 8), (3, 20, 5), (32, 48, 2), (16, 32, 1),
    ] {
      var random = SplitMix64(state: 3)
      let reference = ConvolutionCase(inputs: inputs, outputs: outputs).reference
      let weights = reference.packed(random.floats(inputs * outputs * 9))
      let size = side * side * inputs
      let images = random.floats(131 * size)
      func run(_ range: Range<Int>, threads: Int) -> [Float] {
        let x = Tensor(
          Array(images[(range.lowerBound * size)..<(range.upperBound * size)]),
          shape: [range.count, side, side, inputs])
        return reference.shape.forward(x, weights: weights, on: Execution(threads: threads)).values
      }
      let all = run(0..<131, threads: 2)
      let count = all.count / 131
      for range in [0..<1, 130..<131, 7..<24, 64..<128] {
        let part = all[(range.lowerBound * count)..<(range.upperBound * count)]
        #expect(sameBits(run(range, threads: 3), part))
      }
    }
  }
}
