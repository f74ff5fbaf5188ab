import CKernels

extension ConvolutionShape {
  /// Adds the weight gradient, in kernel layout, of images `x` and the gradient at the output.
  ///
  /// The batch is cut into parts by the shapes alone; each part's sum goes in the order image, row,
  /// column, and the parts are added in order. So the bits do not depend on the number of threads.
  package func addWeightGradient(
    _ x: Tensor, _ gradient: Tensor, to target: Tensor, on execution: Execution
  ) {
    guard x.shape[0] > 0 else { return }
    if isDepthwise {
      addDepthwiseWeightGradient(x, gradient, to: target, on: execution)
      return
    }
    if isPointwise {
      addPointwiseWeightGradient(x, gradient, to: target, on: execution)
      return
    }
    switch method(height: x.shape[1], width: x.shape[2], on: execution) {
    case .direct: addDirectWeightGradient(x, gradient, to: target, on: execution)
    case .winograd: addWinogradWeightGradient(x, gradient, to: target, on: execution)
    }
  }

  private func addDirectWeightGradient(
    _ x: Tensor, _ gradient: Tensor, to target: Tensor, on execution: Execution
  ) {
    let images = x.shape[0]
    let (inputBlocks, outputBlocks) = (blocks(groupInputs), groupBlocks)
    let pairs = groups * inputBlocks * outputBlocks
    // Sixteen pieces of work keep all cores busy; many blocks need no parts of the batch.
    let parts = max(1, min(images, 16 / pairs))
    let packedX = packed(x, channels: groupInputs, on: execution)
    let packedGradient = packed(gradient, channels: groupOutputs, on: execution)
    let partial = parts == 1 ? target : Tensor([parts, weightCount], in: execution.memory)
    execution.parallel(parts * pairs) { index in
      let (part, pair) = index.quotientAndRemainder(dividingBy: pairs)
      let (left, outputBlock) = pair.quotientAndRemainder(dividingBy: outputBlocks)
      let (group, inputBlock) = left.quotientAndRemainder(dividingBy: inputBlocks)
      let range = (images * part / parts)..<(images * (part + 1) / parts)
      let offset =
        group * groupCount + outputBlock * blockCount
        + inputBlock * ConvolutionShape.lanes * ConvolutionShape.lanes
      let channels = min(ConvolutionShape.lanes, groupInputs - inputBlock * ConvolutionShape.lanes)
      let sums = partial.pointer + part * (parts == 1 ? 0 : weightCount) + offset
      // The block's taps lie far apart in the weights, at distances that share few sets of the
      // first cache; so they are summed side by side.
      let count = taps * channels * ConvolutionShape.lanes
      withUnsafeTemporaryAllocation(byteCount: count * 4, alignment: 64) { bytes in
        let local = bytes.bindMemory(to: Float.self)
        local.initialize(repeating: 0)
        guard let start = local.baseAddress else { return }
        gradientBlock(
          x: packedX.block(group * inputBlocks + inputBlock), xStride: packedX.stride,
          output: packedGradient.block(group * outputBlocks + outputBlock),
          outputStride: packedGradient.stride, images: range,
          height: x.shape[1], width: x.shape[2], channels: channels, into: start)
        store(start, channels: channels, to: sums, adding: parts == 1)
      }
    }
    guard parts > 1 else { return }
    addParts(partial, to: target, on: execution)
  }

  /// Puts a block's sums, [tap][channel][16], to their places in the weights.
  private func store(
    _ sums: UnsafePointer<Float>, channels: Int, to target: UnsafeMutablePointer<Float>,
    adding: Bool
  ) {
    let count = channels * ConvolutionShape.lanes
    for tap in 0..<taps {
      let (from, to) = (sums + tap * count, target + tap * groupInputs * ConvolutionShape.lanes)
      if adding {
        add(to, from, to, count, 0)
      } else {
        to.update(from: from, count: count)
      }
    }
  }

  private func gradientBlock(
    x: UnsafeMutablePointer<Float>, xStride: Int, output: UnsafeMutablePointer<Float>,
    outputStride: Int, images: Range<Int>, height: Int, width: Int, channels: Int,
    into sums: UnsafeMutablePointer<Float>
  ) {
    var job = conv_gradient_job()
    job.source_stride = xStride
    job.output_stride = outputStride
    job.kernel = Int32(kernel)
    job.strides = Int32(strides)
    job.padding = Int32(padding)
    job.inputs = channels
    job.gradient = sums
    job.gradient_tap = channels * ConvolutionShape.lanes
    job.height = Int32(height)
    job.width = Int32(width)
    job.output_height = Int32(outputSize(height))
    job.output_width = Int32(outputSize(width))
    job.source_image = height * width * xStride
    job.output_image = outputSize(height) * outputSize(width) * outputStride
    job.source = UnsafePointer(x + images.lowerBound * job.source_image)
    job.output = UnsafePointer(output + images.lowerBound * job.output_image)
    job.images = images.count
    conv_gradient_run(&job)
  }

  /// Pixels in blocks of 16 channels, zeros behind the last channel of each group.
  struct PackedPixels {
    let tensor: Tensor
    let blockCount: Int
    /// Floats from pixel to pixel.
    let stride: Int

    func block(_ index: Int) -> UnsafeMutablePointer<Float> { tensor.pointer + index * blockCount }
  }

  /// In N×H×W×C with many channels a block's pixels lie at distances that fall into few sets of the
  /// first cache; packed they lie side by side.
  private func packed(_ x: Tensor, channels: Int, on execution: Execution) -> PackedPixels {
    let lanes = ConvolutionShape.lanes
    let pixels = x.count / (channels * groups)
    if groups == 1 && channels == lanes {
      return PackedPixels(tensor: x, blockCount: lanes, stride: channels)
    }
    let perGroup = blocks(channels)
    let target = Tensor([groups * perGroup, pixels, lanes], in: execution.memory)
    let packed = PackedPixels(tensor: target, blockCount: pixels * lanes, stride: lanes)
    execution.parallelRanges(pixels, atLeast: 64) { range in
      for group in 0..<groups {
        for block in 0..<perGroup {
          let stride = channels * groups
          conv_pack_block(
            x.pointer + range.lowerBound * stride + group * channels + block * lanes, stride,
            min(lanes, channels - block * lanes), range.count,
            packed.block(group * perGroup + block) + range.lowerBound * lanes)
        }
      }
    }
    return packed
  }
}

/// target[i] += parts[0][i] + parts[1][i] + …, in that order, for the rows of `parts`.
func addParts(_ parts: Tensor, to target: Tensor, on execution: Execution) {
  let (rows, row) = (parts.shape[0], parts.shape[1])
  execution.parallelRanges(min(row, target.count), atLeast: 4096) { range in
    add_parts(
      parts.pointer + range.lowerBound, rows, row, target.pointer + range.lowerBound, range.count)
  }
}

/// Adds each channel's sum over all pixels of N×…×C to `target`, image by image in order.
package func addChannelSums(_ x: Tensor, to target: Tensor, on execution: Execution) {
  let (images, channels) = (x.shape[0], x.shape[x.shape.count - 1])
  guard images > 0 else { return }
  let row = padded(channels)
  let parts = Tensor([images, row], in: execution.memory)
  let pixels = x.count / (images * channels)
  execution.parallel(images) { image in
    channel_sums(
      x.pointer + image * pixels * channels, pixels, channels, parts.pointer + image * row)
  }
  add_parts(parts.pointer, images, row, target.pointer, channels)
}
