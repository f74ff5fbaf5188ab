import CKernels

extension ConvolutionShape {
  /// Pixels do not meet, so these are matrix products; parts of the pixels are summed side by side and
  /// added in order. Four parts at least keep the cores busy, sixteen at most; in between their sums
  /// stay within 8 MiB.
  func addPointwiseWeightGradient(
    _ x: Tensor, _ gradient: Tensor, to target: Tensor, on execution: Execution
  ) {
    let pixels = x.count / inputs
    let wanted = min(16, max(4, (1 << 21) / weightCount))
    let parts = max(1, min(wanted, pixels / 64))
    let partial = Tensor([parts, weightCount], in: execution.memory)
    execution.parallel(parts * groups) { index in
      let (part, group) = index.quotientAndRemainder(dividingBy: groups)
      let range = (pixels * part / parts)..<(pixels * (part + 1) / parts)
      let sums = partial.pointer + part * weightCount + group * groupCount
      sums.update(repeating: 0, count: groupCount)
      var job = pointwise_gradient_job()
      job.source = UnsafePointer(x.pointer + range.lowerBound * inputs + group * groupInputs)
      job.output = UnsafePointer(
        gradient.pointer + range.lowerBound * outputs + group * groupOutputs)
      job.source_stride = inputs
      job.output_stride = outputs
      job.pixels = range.count
      job.inputs = groupInputs
      job.outputs = groupOutputs
      job.gradient = sums
      pointwise_gradient(&job)
    }
    addParts(partial, to: target, on: execution)
  }
}
