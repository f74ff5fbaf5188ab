import COpenBLAS
import Tensors
import TestSupport
import Testing

/// The direct kernels against the textbook path: unrolled patches (im2col) times weights by
/// OpenBLAS, on sizes that the double-precision definition would be slow for.
@Suite struct MatrixProductTests {
  @Test(arguments: [
    ConvolutionCase(inputs: 64, outputs: 128, height: 32, width: 32, images: 4),
    ConvolutionCase(inputs: 128, outputs: 128, strides: 2, height: 32, width: 32, images: 3),
    ConvolutionCase(inputs: 256, outputs: 64, kernel: 1, padding: 0, height: 16, width: 16),
    ConvolutionCase(inputs: 3, outputs: 64, height: 224, width: 224, images: 1),
    ConvolutionCase(
      inputs: 3, outputs: 64, kernel: 7, strides: 2, padding: 3, height: 224, width: 224,
      images: 1),
  ])
  func forwardEqualsPatchesTimesWeights(_ size: ConvolutionCase) {
    let reference = size.reference
    let shape = reference.shape
    var random = SplitMix64(state: 3)
    let x = random.floats(size.images * size.height * size.width * size.inputs)
    let w = random.floats(size.outputs * size.inputs * size.kernel * size.kernel)
    let input = Tensor(x, shape: [size.images, size.height, size.width, size.inputs])
    let y = shape.forward(input, weights: reference.packed(w), on: Execution(threads: 2))

    let depth = size.inputs * size.kernel * size.kernel
    let rows = size.images * reference.outputHeight * reference.outputWidth
    let patches = patches(x, size, reference)
    var product = [Float](repeating: 0, count: rows * size.outputs)
    openblas_set_num_threads(1)
    cblas_sgemm(
      CblasRowMajor, CblasNoTrans, CblasTrans, blasint(rows), blasint(size.outputs),
      blasint(depth), 1, patches, blasint(depth), w, blasint(depth), 0, &product,
      blasint(size.outputs))
    #expect(relativeError(y.values, product.map(Double.init)) < 5e-6)
  }

  /// One row an output pixel, in the order of the weights' state dict: input, tap row, tap column.
  private func patches(
    _ x: [Float], _ size: ConvolutionCase, _ reference: ConvolutionReference
  ) -> [Float] {
    let k = size.kernel
    var result: [Float] = []
    result.reserveCapacity(
      size.images * reference.outputHeight * reference.outputWidth * size.inputs * k * k)
    for n in 0..<size.images {
      for oy in 0..<reference.outputHeight {
        for ox in 0..<reference.outputWidth {
          for i in 0..<size.inputs {
            for tap in 0..<(k * k) {
              let row = oy * size.strides + tap / k - size.padding
              let column = ox * size.strides + tap % k - size.padding
              let inside = (0..<size.height).contains(row) && (0..<size.width).contains(column)
              result.append(
                inside ? x[((n * size.height + row) * size.width + column) * size.inputs + i] : 0)
            }
          }
        }
      }
    }
    return result
  }
}
