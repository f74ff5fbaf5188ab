import Tensors

/// A convolution written as its definition, in double precision and state-dict weight layout.
struct ConvolutionReference {
  let shape: ConvolutionShape
  let height: Int
  let width: Int
  let images: Int

  var outputHeight: Int { shape.outputSize(height) }
  var outputWidth: Int { shape.outputSize(width) }

  /// Calls `body` with the places of one product: in the input, in the weights, in the output.
  func eachProduct(_ body: (_ x: Int, _ w: Int, _ y: Int) -> Void) {
    let (inputs, outputs) = (shape.inputs / shape.groups, shape.outputs / shape.groups)
    let k = shape.kernel
    for n in 0..<images {
      for oy in 0..<outputHeight {
        for ox in 0..<outputWidth {
          for o in 0..<shape.outputs {
            for kh in 0..<k {
              for kw in 0..<k {
                let (y, x) = (
                  oy * shape.strides + kh - shape.padding, ox * shape.strides + kw - shape.padding
                )
                guard (0..<height).contains(y), (0..<width).contains(x) else { continue }
                for i in 0..<inputs {
                  body(
                    ((n * height + y) * width + x) * shape.inputs + o / outputs * inputs + i,
                    ((o * inputs + i) * k + kh) * k + kw,
                    ((n * outputHeight + oy) * outputWidth + ox) * shape.outputs + o)
                }
              }
            }
          }
        }
      }
    }
  }

  func forward(_ x: [Float], _ w: [Float]) -> [Double] {
    var y = [Double](repeating: 0, count: images * outputHeight * outputWidth * shape.outputs)
    eachProduct { y[$2] += Double(x[$0]) * Double(w[$1]) }
    return y
  }

  func inputGradient(_ w: [Float], _ dy: [Float]) -> [Double] {
    var dx = [Double](repeating: 0, count: images * height * width * shape.inputs)
    eachProduct { dx[$0] += Double(dy[$2]) * Double(w[$1]) }
    return dx
  }

  func weightGradient(_ x: [Float], _ dy: [Float]) -> [Double] {
    let count = shape.outputs * shape.inputs / shape.groups * shape.kernel * shape.kernel
    var dw = [Double](repeating: 0, count: count)
    eachProduct { dw[$1] += Double(x[$0]) * Double(dy[$2]) }
    return dw
  }

  /// State-dict weights in kernel layout.
  func packed(_ w: [Float]) -> Tensor {
    var values = [Float](repeating: 0, count: shape.weightCount)
    eachWeight { values[$1] = w[$0] }
    return Tensor(values, shape: [values.count])
  }

  func unpacked(_ w: Tensor) -> [Float] {
    let count = shape.outputs * shape.inputs / shape.groups * shape.kernel * shape.kernel
    var values = [Float](repeating: 0, count: count)
    eachWeight { values[$0] = w.pointer[$1] }
    return values
  }

  private func eachWeight(_ body: (_ state: Int, _ kernel: Int) -> Void) {
    let (inputs, taps) = (shape.inputs / shape.groups, shape.kernel * shape.kernel)
    for o in 0..<shape.outputs {
      for i in 0..<inputs {
        for tap in 0..<taps {
          body((o * inputs + i) * taps + tap, shape.weightIndex(output: o, input: i, tap: tap))
        }
      }
    }
  }
}

/// The largest difference over the largest expected magnitude.
func relativeError(_ found: [Float], _ expected: [Double]) -> Double {
  guard found.count == expected.count else { return .infinity }
  let scale = expected.reduce(1e-3) { max($0, abs($1)) }
  return zip(found, expected).reduce(0) { max($0, abs(Double($1.0) - $1.1)) } / scale
}
