import CKernels

/// How a convolution is computed: the same sums up to rounding, at different speeds.
package enum ConvolutionMethod: Sendable {
  /// Tap by tap, for every shape.
  case direct
  /// Winograd's F(4×4, 3×3): a quarter of the multiplications, 3×3 kernels only.
  case winograd
}

extension ConvolutionShape {
  /// The one place where a kernel is chosen, for images of this size.
  ///
  /// Winograd pays from 16 channels on (`tools/bench kernels`); on images of less than 3×3 most of a
  /// tile would lie outside.
  func method(height: Int, width: Int, on execution: Execution) -> ConvolutionMethod {
    guard kernel == 3 && strides == 1 && padding == 1 && groups == 1 else { return .direct }
    if let method = execution.convolutionMethod { return method }
    return min(inputs, outputs) >= 16 && min(height, width) >= 3 ? .winograd : .direct
  }

  /// Weights of one direction, transformed: [out/16][plane][in][16].
  private func transformed(_ sweep: ConvolutionSweep, on execution: Execution) -> Tensor {
    let rows = blocks(sweep.targetChannels) * sweep.sourceChannels
    let target = Tensor(
      [rows * Int(winograd_planes) * ConvolutionShape.lanes], in: execution.memory)
    execution.parallelRanges(rows, atLeast: 16) { range in
      winograd_weights(
        sweep.weights.pointer, sweep.sourceChannels, range.lowerBound, range.upperBound,
        sweep.direction == .inputGradient ? 1 : 0, target.pointer)
    }
    return target
  }

  /// The pass by Winograd's method: chunks of tiles, each transformed, multiplied plane by plane and
  /// transformed back. How the batch is cut cannot change a result.
  func runWinograd(_ sweep: ConvolutionSweep, on execution: Execution) {
    let tiling = WinogradTiling(
      images: sweep.source.shape[0], height: sweep.height, width: sweep.width)
    let weights = transformed(sweep, on: execution)
    let size = tiling.chunkSize(channels: sweep.sourceChannels + sweep.targetChannels)
    let chunks = (tiling.count + size - 1) / size
    let targetBlocks = blocks(sweep.targetChannels)
    let splits = max(1, min(targetBlocks, (2 * execution.threads + chunks - 1) / chunks))
    func tiles(_ chunk: Int) -> Range<Int> {
      (chunk * size)..<min(tiling.count, (chunk + 1) * size)
    }
    func planes(channels: Int) -> WinogradPlanes {
      WinogradPlanes(tiling, channels: channels, capacity: size, in: execution.memory)
    }
    func run(
      _ tiles: Range<Int>, blocks blockRange: Range<Int>, next: Range<Int>?,
      source: WinogradPlanes, product: WinogradPlanes
    ) {
      source.withTiles(tiles, image: sweep.source) { input in
        winograd_input(input)
        product.withTiles(tiles, target: sweep.target) { output in
          var job = winograd_product()
          job.input = input
          job.product = output
          job.weights = UnsafePointer(weights.pointer)
          job.weight_block = Int(winograd_planes) * sweep.sourceChannels * ConvolutionShape.lanes
          job.first = blockRange.lowerBound
          job.last = blockRange.upperBound
          if let next { job.soon.0 = tiling.span(of: sweep.source, next) }
          job.soon.1 = tiling.span(of: sweep.target, tiles)
          if let addend = sweep.finish.addend { job.soon.2 = tiling.span(of: addend, tiles) }
          winograd_multiply(&job)
          var finish = winograd_finish()
          finish.scale = sweep.finish.scale.map { UnsafePointer($0.pointer) }
          finish.shift = sweep.finish.shift.map { UnsafePointer($0.pointer) }
          finish.addend = sweep.finish.addend.map { UnsafePointer($0.pointer) }
          finish.rectify = sweep.finish.rectify ? 1 : 0
          winograd_output(
            output, blockRange.lowerBound * ConvolutionShape.lanes,
            min(blockRange.upperBound * ConvolutionShape.lanes, sweep.targetChannels), &finish)
        }
      }
    }
    // Neighbours in a row on one core, which can fetch the next chunk while it multiplies this one.
    let rows = splits > 1 ? chunks : min(chunks, 16 * execution.threads)
    execution.parallel(rows * splits) { index in
      let (row, split) = index.quotientAndRemainder(dividingBy: splits)
      let blockRange = (targetBlocks * split / splits)..<(targetBlocks * (split + 1) / splits)
      let source = planes(channels: sweep.sourceChannels)
      let product = planes(channels: sweep.targetChannels)
      let end = chunks * (row + 1) / rows
      for chunk in (chunks * row / rows)..<end {
        run(
          tiles(chunk), blocks: blockRange, next: chunk + 1 < end ? tiles(chunk + 1) : nil,
          source: source, product: product)
      }
    }
  }
}

/// The tiles of 4×4 output pixels that cover a batch: through images, rows and columns.
struct WinogradTiling {
  let images: Int
  let height: Int
  let width: Int

  private static func tiles(_ size: Int) -> Int {
    (size + Int(winograd_tile) - 1) / Int(winograd_tile)
  }

  var down: Int { WinogradTiling.tiles(height) }
  var across: Int { WinogradTiling.tiles(width) }
  var perImage: Int { down * across }
  var count: Int { images * perImage }

  /// The memory of `tensor`, N×height×width×C, that holds the pixels of these tiles: whole rows of
  /// tiles, without the border that they share with others.
  func span(of tensor: Tensor, _ tiles: Range<Int>) -> winograd_span {
    func start(ofRow row: Int) -> UnsafeRawPointer {
      let (image, y) = row.quotientAndRemainder(dividingBy: down)
      let pixel = (image * height + y * Int(winograd_tile)) * width
      return UnsafeRawPointer(tensor.pointer + pixel * tensor.shape[3])
    }
    return winograd_span(
      from: start(ofRow: tiles.lowerBound / across),
      to: start(ofRow: (tiles.upperBound + across - 1) / across))
  }

  /// How many tiles to transform at a time: few, so that the planes of both sides stay in the second
  /// cache, but more where the weights do not and have to be fetched for every chunk. A multiple of
  /// the six rows of the matrix kernel, and chunks of equal size.
  func chunkSize(channels: Int) -> Int {
    let wanted = channels > 256 ? 96 : 48
    let chunks = (count + wanted - 1) / wanted
    let even = chunks > 1 ? (chunks + 3) / 4 * 4 : 1
    return max(6, ((count + even - 1) / even + 5) / 6 * 6)
  }
}

extension winograd_span {
  /// The share of the steps `steps` of 0..<count, each as large as the others.
  func part(_ steps: Range<Int>, of count: Int) -> winograd_span {
    let bytes = to - from
    return winograd_span(
      from: from + bytes * steps.lowerBound / count, to: from + bytes * steps.upperBound / count)
  }
}

/// Memory for the transform of some tiles, 36 planes of tile × channel.
struct WinogradPlanes {
  private let tiling: WinogradTiling
  private let channels: Int
  private let tensor: Tensor

  /// For up to `capacity` tiles at a time.
  init(_ tiling: WinogradTiling, channels: Int, capacity: Int, in memory: TensorMemory) {
    self.tiling = tiling
    self.channels = channels
    // A power of two from plane to plane would send all planes of a tile to the same few sets of the
    // first cache.
    let lanes = ConvolutionShape.lanes
    let plane = capacity * blocks(channels) * lanes + lanes
    tensor = Tensor([Int(winograd_planes), plane], in: memory)
  }

  /// The kernels' description of `tiles`, which are kept from place `offset` on.
  func withTiles(
    _ tiles: Range<Int>, at offset: Int = 0, image: Tensor? = nil, target: Tensor? = nil,
    _ body: (UnsafePointer<winograd_tiles>) -> Void
  ) {
    let row = blocks(channels) * ConvolutionShape.lanes
    var description = winograd_tiles()
    description.image = image.map { UnsafePointer($0.pointer) }
    description.target = target?.pointer
    description.channels = channels
    description.height = Int32(tiling.height)
    description.width = Int32(tiling.width)
    description.tiles_down = Int32(tiling.down)
    description.tiles_across = Int32(tiling.across)
    description.first = tiles.lowerBound
    description.count = tiles.count
    description.planes = tensor.pointer + offset * row
    description.plane = tensor.shape[1]
    description.row = row
    withUnsafePointer(to: description, body)
  }
}
