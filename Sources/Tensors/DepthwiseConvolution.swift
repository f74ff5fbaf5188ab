import CKernels

extension ConvolutionShape {
  private func depthwiseJob(height: Int, width: Int, zeros: Tensor) -> depthwise_job {
    precondition(
      taps <= Int(depthwise_taps),
      "a depthwise kernel has at most \(depthwise_taps) taps, this one \(taps)")
    var job = depthwise_job()
    job.channels = inputs
    job.zeros = UnsafePointer(zeros.pointer)
    job.height = Int32(height)
    job.width = Int32(width)
    job.output_height = Int32(outputSize(height))
    job.output_width = Int32(outputSize(width))
    job.kernel_height = Int32(kernel)
    job.kernel_width = Int32(kernel)
    job.strides = Int32(strides)
    job.padding = Int32(padding)
    return job
  }

  func depthwiseForward(
    _ x: Tensor, weights: Tensor, into y: Tensor, finish: ConvolutionFinish,
    on execution: Execution
  ) {
    precondition(finish.addend == nil, "a depthwise convolution adds nothing to its output")
    let (height, width) = (x.shape[1], x.shape[2])
    let (size, outputSize) = (height * width * inputs, y.shape[1] * y.shape[2] * outputs)
    let zeros = Tensor.zeros([inputs], in: execution.memory)
    execution.parallel(x.shape[0]) { image in
      var job = depthwiseJob(height: height, width: width, zeros: zeros)
      job.source = UnsafePointer(x.pointer + image * size)
      job.weights = UnsafePointer(weights.pointer)
      job.target = y.pointer + image * outputSize
      job.scale = finish.scale.map { UnsafePointer($0.pointer) }
      job.shift = finish.shift.map { UnsafePointer($0.pointer) }
      job.rectify = finish.rectify ? 1 : 0
      depthwise_forward(&job)
    }
  }

  func depthwiseInputGradient(
    _ gradient: Tensor, weights: Tensor, into target: Tensor, on execution: Execution
  ) {
    let (height, width) = (target.shape[1], target.shape[2])
    let size = height * width * inputs
    let outputSize = gradient.shape[1] * gradient.shape[2] * outputs
    let zeros = Tensor.zeros([inputs], in: execution.memory)
    execution.parallel(gradient.shape[0]) { image in
      var job = depthwiseJob(height: height, width: width, zeros: zeros)
      job.source = UnsafePointer(gradient.pointer + image * outputSize)
      job.weights = UnsafePointer(weights.pointer)
      job.target = target.pointer + image * size
      depthwise_input_gradient(&job)
    }
  }

  /// Sixteen parts of the batch, or one per image, added in order.
  func addDepthwiseWeightGradient(
    _ x: Tensor, _ gradient: Tensor, to target: Tensor, on execution: Execution
  ) {
    let images = x.shape[0]
    let parts = min(16, images)
    let (height, width) = (x.shape[1], x.shape[2])
    let size = height * width * inputs
    let outputSize = gradient.shape[1] * gradient.shape[2] * outputs
    let partial = Tensor([parts, weightCount], in: execution.memory)
    let zeros = Tensor.zeros([inputs], in: execution.memory)
    execution.parallel(parts) { part in
      let sums = partial.pointer + part * weightCount
      sums.update(repeating: 0, count: weightCount)
      for image in (images * part / parts)..<(images * (part + 1) / parts) {
        var job = depthwiseJob(height: height, width: width, zeros: zeros)
        job.source = UnsafePointer(x.pointer + image * size)
        job.output = UnsafePointer(gradient.pointer + image * outputSize)
        job.target = sums
        depthwise_weight_gradient(&job)
      }
    }
    addParts(partial, to: target, on: execution)
  }
}
