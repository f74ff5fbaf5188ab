import CKernels

extension ConvolutionShape {
  /// Adds the weight gradient by Winograd's method: Gᵀ·(Σ_tiles Bᵀ·d·B ⊙ A·g·Aᵀ)·G.
  ///
  /// Few channels: sixteen parts of the batch are summed side by side, each within its core's caches,
  /// and added in order. Many channels: one sum, whose planes are shared out among the cores. Both
  /// are cut by the shapes alone, so the bits do not depend on the number of threads.
  func addWinogradWeightGradient(
    _ x: Tensor, _ gradient: Tensor, to target: Tensor, on execution: Execution
  ) {
    let tiling = WinogradTiling(images: x.shape[0], height: x.shape[1], width: x.shape[2])
    let inBatchParts = inputs * outputs <= 1 << 11
    let parts = inBatchParts ? min(16, x.shape[0]) : 1
    let sumCount = groupBlocks * Int(winograd_planes) * inputs * ConvolutionShape.lanes
    let sums = Tensor([parts, sumCount], in: execution.memory)
    let step = inBatchParts ? tiling.chunkSize(channels: inputs + outputs) : 512
    func planes(channels: Int) -> WinogradPlanes {
      WinogradPlanes(tiling, channels: channels, capacity: step, in: execution.memory)
    }
    execution.parallel(parts) { part in
      let source = planes(channels: inputs)
      let output = planes(channels: outputs)
      let sum = sums.pointer + part * sumCount
      sum.update(repeating: 0, count: sumCount)
      let all = (tiling.count * part / parts)..<(tiling.count * (part + 1) / parts)
      for first in stride(from: all.lowerBound, to: all.upperBound, by: step) {
        let tiles = first..<min(first + step, all.upperBound)
        let next = tiles.upperBound..<min(tiles.upperBound + step, all.upperBound)
        execution.parallelRanges(tiles.count, atLeast: 16) { range in
          let offset = range.lowerBound
          let range = (first + offset)..<(first + range.upperBound)
          source.withTiles(range, at: offset, image: x) { winograd_input($0) }
          output.withTiles(range, at: offset, image: gradient) { winograd_output_gradient($0) }
        }
        execution.parallelRanges(Int(winograd_planes)) { range in
          source.withTiles(tiles) { source in
            output.withTiles(tiles) { output in
              var job = winograd_accumulation()
              job.input = source
              job.output = output
              job.gradient = sum
              job.gradient_block = Int(winograd_planes) * inputs * ConvolutionShape.lanes
              job.first = range.lowerBound
              job.last = range.upperBound
              if inBatchParts && !next.isEmpty {
                job.soon.0 = tiling.span(of: x, next).part(range, of: Int(winograd_planes))
                job.soon.1 = tiling.span(of: gradient, next).part(range, of: Int(winograd_planes))
              }
              winograd_accumulate(&job)
            }
          }
        }
      }
    }
    execution.parallelRanges(groupBlocks * inputs, atLeast: 16) { range in
      winograd_weight_gradient(
        sums.pointer, parts, sumCount, inputs, range.lowerBound, range.upperBound, target.pointer)
    }
  }
}
