import CKernels

/// Per-channel numbers of one batch normalisation: y = x·scale + shift, all padded to blocks of 16.
package struct NormalizationFactors {
  package let channels: Int
  /// γ/√(variance + ε)
  package let scale: Tensor
  /// β − mean·scale
  package let shift: Tensor
  package let mean: Tensor
  /// 1/(variance + ε)
  let inverseVariance: [Double]

  /// - Parameters:
  ///   - weight: γ
  ///   - bias: β
  package init(
    mean: [Double], variance: [Double], weight: Tensor, bias: Tensor, epsilon: Float,
    in memory: TensorMemory
  ) {
    channels = mean.count
    let size = padded(channels)
    scale = .zeros([size], in: memory)
    shift = .zeros([size], in: memory)
    self.mean = .zeros([size], in: memory)
    var inverse = [Double](repeating: 0, count: channels)
    for c in 0..<channels {
      inverse[c] = 1 / (variance[c] + Double(epsilon))
      let factor = Double(weight.pointer[c]) * inverse[c].squareRoot()
      scale.pointer[c] = Float(factor)
      shift.pointer[c] = Float(Double(bias.pointer[c]) - mean[c] * factor)
      self.mean.pointer[c] = Float(mean[c])
    }
    inverseVariance = inverse
  }

  /// x·scale + shift [+ addend], rectified if wanted; `x` is N×…×C.
  package func apply(
    _ x: Tensor, addend: Tensor?, rectify: Bool, on execution: Execution
  ) -> Tensor {
    let y = Tensor(x.shape, in: execution.memory)
    execution.parallelRanges(x.count / channels, atLeast: 512) { range in
      let first = range.lowerBound * channels
      var job = norm_job()
      job.x = UnsafePointer(x.pointer + first)
      job.addend = addend.map { UnsafePointer($0.pointer + first) }
      job.y = y.pointer + first
      job.pixels = range.count
      job.channels = channels
      job.scale = UnsafePointer(scale.pointer)
      job.shift = UnsafePointer(shift.pointer)
      job.rectify = rectify ? 1 : 0
      norm_apply(&job)
    }
    return y
  }
}

/// The mean and the sum of squared deviations of each channel of N×…×C, over all else.
///
/// Each image's moments are taken about its own first pixel, then joined in image order in double
/// precision: the same bits for any thread count.
package func channelMoments(
  _ x: Tensor, on execution: Execution
) -> (mean: [Double], deviation: [Double]) {
  let (images, channels) = (x.shape[0], x.shape[x.shape.count - 1])
  let pixels = x.count / max(1, images * channels)
  let row = padded(channels)
  let sums = Tensor([2, images, row], in: execution.memory)
  let squares = sums.pointer + images * row
  execution.parallel(images) { image in
    norm_moments(
      x.pointer + image * pixels * channels, pixels, channels, sums.pointer + image * row,
      squares + image * row)
  }
  var mean = [Double](repeating: 0, count: channels)
  var deviation = mean
  norm_merge(sums.pointer, squares, row, x.pointer, images, pixels, channels, &mean, &deviation)
  return (mean, deviation)
}

/// The backward pass of a batch normalisation with batch statistics, and of what was fused to it.
package struct NormalizationGradient {
  let factors: NormalizationFactors
  let x: Tensor
  /// The output, where an addend went into it before the rectifier.
  let y: Tensor?
  let rectify: Bool

  package init(factors: NormalizationFactors, x: Tensor, y: Tensor?, rectify: Bool) {
    self.factors = factors
    self.x = x
    self.y = y
    self.rectify = rectify
  }

  /// Adds to the gradients of γ and β; returns the gradients at the input and at the addend, without an
  /// addend `gradient` itself in its place.
  package func callAsFunction(
    _ gradient: Tensor, weightGradient: Tensor, biasGradient: Tensor, on execution: Execution
  ) -> (input: Tensor, addend: Tensor) {
    let (images, channels) = (x.shape[0], factors.channels)
    let pixels = x.count / max(1, images * channels)
    let row = padded(channels)
    let sums = Tensor([2, images, row], in: execution.memory)
    // With an addend the masked gradient is needed again, for its side; else the mask is cheap.
    let masked = rectify && y != nil ? Tensor(x.shape, in: execution.memory) : nil
    execution.parallel(images) { image in
      var job = job(gradient, masked: masked, first: image * pixels, pixels: pixels)
      norm_gradient_sums(&job, sums.pointer + image * row, sums.pointer + (images + image) * row)
    }
    let means = Tensor.zeros([2, row], in: execution.memory)
    let count = Double(images * pixels)
    for c in 0..<channels {
      var (total, product) = (0.0, 0.0)
      for image in 0..<images {
        total += Double(sums.pointer[image * row + c])
        product += Double(sums.pointer[(images + image) * row + c])
      }
      biasGradient.pointer[c] += Float(total)
      weightGradient.pointer[c] += Float(product * factors.inverseVariance[c].squareRoot())
      means.pointer[c] = Float(total / count)
      means.pointer[row + c] = Float(product / count * factors.inverseVariance[c])
    }
    let target = Tensor(x.shape, in: execution.memory)
    execution.parallel(images) { image in
      var job = job(masked ?? gradient, masked: nil, first: image * pixels, pixels: pixels)
      if masked != nil { job.rectify = 0 }
      job.input_gradient = target.pointer + image * pixels * channels
      job.gradient_mean = UnsafePointer(means.pointer)
      job.slope = UnsafePointer(means.pointer + row)
      norm_gradient_apply(&job)
    }
    return (target, masked ?? gradient)
  }

  private func job(
    _ gradient: Tensor, masked: Tensor?, first: Int, pixels: Int
  ) -> norm_gradient_job {
    let offset = first * factors.channels
    var job = norm_gradient_job()
    job.x = UnsafePointer(x.pointer + offset)
    job.gradient = UnsafePointer(gradient.pointer + offset)
    job.y = y.map { UnsafePointer($0.pointer + offset) }
    job.masked = masked.map { $0.pointer + offset }
    job.pixels = pixels
    job.channels = factors.channels
    job.scale = UnsafePointer(factors.scale.pointer)
    job.shift = UnsafePointer(factors.shift.pointer)
    job.mean = UnsafePointer(factors.mean.pointer)
    job.rectify = rectify ? 1 : 0
    return job
  }
}
