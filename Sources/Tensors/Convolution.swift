import CKernels

/// What is done to a convolution's sums before they are stored, in this order: · scale, + shift
/// (both per channel, padded to blocks of 16), + addend (shaped like the output), max(·, 0).
package struct ConvolutionFinish {
  package var scale: Tensor?
  package var shift: Tensor?
  package var addend: Tensor?
  package var rectify: Bool

  package init(
    scale: Tensor? = nil, shift: Tensor? = nil, addend: Tensor? = nil, rectify: Bool = false
  ) {
    self.scale = scale
    self.shift = shift
    self.addend = addend
    self.rectify = rectify
  }
}

extension ConvolutionShape {
  /// Images N×H×W×inputs to N×H'×W'×outputs under `weights` in kernel layout.
  ///
  /// An output pixel's bits depend on nothing but its window (by Winograd's method: its tile's) and
  /// the weights.
  package func forward(
    _ x: Tensor, weights: Tensor, finish: ConvolutionFinish = .init(), on execution: Execution
  ) -> Tensor {
    let (n, h, w) = imageSizes(x, channels: inputs)
    let y = Tensor(
      [n, outputSize(h), outputSize(w), outputs], in: execution.memory)
    precondition(
      finish.addend.map { $0.count == y.count } ?? true,
      "an addend of shape \(finish.addend?.shape ?? []) to an output of shape \(y.shape)")
    if isDepthwise {
      depthwiseForward(x, weights: weights, into: y, finish: finish, on: execution)
      return y
    }
    let sweep = ConvolutionSweep(
      direction: .forward, source: x, target: y, weights: weights, height: h, width: w,
      sourceChannels: groupInputs, targetChannels: groupOutputs, finish: finish)
    run(sweep, on: execution)
    return y
  }

  /// The gradient at the input, N×height×width×inputs, from the one at the output.
  ///
  /// - Parameter finish: of a depthwise layer an addend only.
  package func inputGradient(
    _ gradient: Tensor, weights: Tensor, height: Int, width: Int,
    finish: ConvolutionFinish = .init(), on execution: Execution
  ) -> Tensor {
    let n = gradient.shape[0]
    precondition(
      gradient.shape == [n, outputSize(height), outputSize(width), outputs],
      "a gradient of shape \(gradient.shape) at the output for \(height)×\(width) inputs")
    precondition(
      finish.addend.map { $0.count == n * height * width * inputs } ?? true,
      "an addend of shape \(finish.addend?.shape ?? []) to a gradient of "
        + "\(n)×\(height)×\(width)×\(inputs)")
    let target = Tensor([n, height, width, inputs], in: execution.memory)
    if isDepthwise {
      precondition(
        finish.scale == nil && finish.shift == nil && !finish.rectify,
        "a depthwise layer's gradient takes an addend only")
      depthwiseInputGradient(gradient, weights: weights, into: target, on: execution)
      guard let addend = finish.addend else { return target }
      return sum(target, addend, rectify: false, on: execution)
    }
    let sweep = ConvolutionSweep(
      direction: .inputGradient, source: gradient, target: target,
      weights: transposed(weights, on: execution), height: height, width: width,
      sourceChannels: groupOutputs, targetChannels: groupInputs, finish: finish)
    run(sweep, on: execution)
    return target
  }

  func imageSizes(_ x: Tensor, channels: Int) -> (Int, Int, Int) {
    precondition(
      x.shape.count == 4 && x.shape[3] == channels,
      "a convolution of \(channels) channels was given a tensor of shape \(x.shape)")
    let (n, h, w) = (x.shape[0], x.shape[1], x.shape[2])
    precondition(
      outputSize(h) > 0 && outputSize(w) > 0,
      "a \(kernel)×\(kernel) kernel with padding \(padding) does not fit on \(h)×\(w)")
    return (n, h, w)
  }

  /// The weights with input and output channels exchanged: [group][in/16][tap][out][16].
  private func transposed(_ weights: Tensor, on execution: Execution) -> Tensor {
    let inputBlocks = blocks(groupInputs)
    let count = inputBlocks * taps * groupOutputs * ConvolutionShape.lanes
    let target = Tensor([groups * count], in: execution.memory)
    for group in 0..<groups {
      execution.parallelRanges(inputBlocks) { range in
        conv_transpose_weights(
          weights.pointer + group * groupCount, taps, groupInputs, groupOutputs, range.lowerBound,
          range.upperBound, target.pointer + group * count)
      }
    }
    return target
  }
}

/// One pass over a batch, in the direction of the sum.
struct ConvolutionSweep {
  let direction: ConvolutionPlan.Direction
  let source: Tensor
  let target: Tensor
  let weights: Tensor
  /// The convolution's input size, whichever side that is.
  let height: Int
  let width: Int
  /// Channels per group.
  let sourceChannels: Int
  let targetChannels: Int
  let finish: ConvolutionFinish
}

extension ConvolutionShape {
  private func run(_ sweep: ConvolutionSweep, on execution: Execution) {
    guard sweep.target.count > 0 else { return }
    switch method(height: sweep.height, width: sweep.width, on: execution) {
    case .direct: runDirect(sweep, on: execution)
    case .winograd: runWinograd(sweep, on: execution)
    }
  }

  /// Cuts the batch into groups of images, and these into blocks of output channels where there are
  /// few images; the cut cannot change a result.
  private func runDirect(_ sweep: ConvolutionSweep, on execution: Execution) {
    let sourcePixels = sweep.source.count / (sweep.sourceChannels * groups)
    let targetPixels = sweep.target.count / (sweep.targetChannels * groups)
    let targetBlocks = blocks(sweep.targetChannels)
    // Weights beyond the second cache are fetched once per group of images: then larger groups.
    let heavy = targetBlocks * taps * sweep.sourceChannels * ConvolutionShape.lanes > 1 << 17
    let pixelsWanted = heavy ? 384 : 96
    let units: Units
    if isPointwise {
      units = Units(
        count: targetPixels, perGroup: pixelsWanted, sourcePixels: 1, targetPixels: 1)
    } else {
      let images = sweep.source.shape[0]
      let (sourceSize, targetSize) = (sourcePixels / images, targetPixels / images)
      units = Units(
        count: images, perGroup: max(1, pixelsWanted / targetSize), sourcePixels: sourceSize,
        targetPixels: targetSize)
    }
    let pieces = 4 * execution.threads
    let splits = max(1, min(targetBlocks, (pieces + units.groups - 1) / units.groups))
    execution.parallel(units.groups * splits * groups) { index in
      let (part, group) = index.quotientAndRemainder(dividingBy: groups)
      let (unit, split) = part.quotientAndRemainder(dividingBy: splits)
      let blockRange =
        (targetBlocks * split / splits)..<(targetBlocks * (split + 1) / splits)
      runPart(sweep, units: units, unit: unit, blocks: blockRange, group: group, on: execution)
    }
  }

  /// Images, or single pixels of a pointwise convolution, in groups.
  struct Units {
    let count: Int
    let perGroup: Int
    let sourcePixels: Int
    let targetPixels: Int

    var groups: Int { (count + perGroup - 1) / perGroup }
  }

  private func runPart(
    _ sweep: ConvolutionSweep, units: Units, unit: Int, blocks range: Range<Int>, group: Int,
    on execution: Execution
  ) {
    let first = unit * units.perGroup
    let count = min(units.perGroup, units.count - first)
    let plan = execution.plan(
      .init(
        direction: sweep.direction, height: isPointwise ? 1 : sweep.height,
        width: isPointwise ? count : sweep.width, images: isPointwise ? 1 : count,
        kernel: kernel, strides: strides, padding: padding, channels: sweep.sourceChannels))
    let lanes = ConvolutionShape.lanes
    let blockCount = taps * sweep.sourceChannels * lanes
    let channel = group * sweep.targetChannels + range.lowerBound * lanes
    let targetStride = sweep.targetChannels * groups
    let sourceStride = sweep.sourceChannels * groups
    let targetOffset = first * units.targetPixels * targetStride + channel
    withUnsafePointer(to: plan.plan) { plan in
      var job = conv_job()
      job.plan = plan
      job.source = UnsafePointer(
        sweep.source.pointer + first * units.sourcePixels * sourceStride
          + group * sweep.sourceChannels)
      job.source_stride = sourceStride
      job.inputs = sweep.sourceChannels
      job.weights = UnsafePointer(
        sweep.weights.pointer + (group * blocks(sweep.targetChannels) + range.lowerBound)
          * blockCount)
      job.weight_block = blockCount
      job.target = sweep.target.pointer + targetOffset
      job.target_stride = targetStride
      job.outputs = min(range.upperBound * lanes, sweep.targetChannels) - range.lowerBound * lanes
      job.scale = sweep.finish.scale.map { UnsafePointer($0.pointer + channel) }
      job.shift = sweep.finish.shift.map { UnsafePointer($0.pointer + channel) }
      job.addend = sweep.finish.addend.map { UnsafePointer($0.pointer + targetOffset) }
      job.rectify = sweep.finish.rectify ? 1 : 0
      conv_run(&job)
    }
  }
}
