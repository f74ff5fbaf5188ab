import CKernels

/// Which pixels a direct convolution computes together, and from which pixels.
///
/// Pixels whose windows lose the same taps at the image's edges share tiles of six, so no
/// multiplication meets the zero padding; the few left over share tiles that read zeros instead.
/// How pixels are grouped never changes a result: each sums its taps in the same order.
final class ConvolutionPlan: @unchecked Sendable {  // written by `init` only
  enum Direction: Hashable {
    case forward
    case inputGradient
  }

  struct Key: Hashable {
    let direction: Direction
    let height: Int
    let width: Int
    let images: Int
    let kernel: Int
    let strides: Int
    let padding: Int
    let channels: Int
  }

  let plan: conv_plan
  private let buffers: [UnsafeMutableRawPointer]

  /// `height`, `width`: of the convolution's input; `channels`: of the pixels that are read.
  init(_ key: Key) {
    var builder = PlanBuilder(key)
    builder.build()
    let tiles = ConvolutionPlan.copy(builder.tiles)
    let taps = ConvolutionPlan.copy(builder.taps)
    let displacements = ConvolutionPlan.copy(builder.displacements)
    let sources = ConvolutionPlan.copy(builder.sources)
    let zeros = ConvolutionPlan.copy([Float](repeating: 0, count: key.channels))
    plan = conv_plan(
      tiles: tiles, count: builder.tiles.count, tap: taps, displacement: displacements,
      sources: sources, zeros: zeros)
    buffers = [
      UnsafeMutableRawPointer(tiles), UnsafeMutableRawPointer(taps),
      UnsafeMutableRawPointer(displacements), UnsafeMutableRawPointer(sources),
      UnsafeMutableRawPointer(zeros),
    ]
  }

  deinit {
    for buffer in buffers { buffer.deallocate() }
  }

  private static func copy<Element>(_ elements: [Element]) -> UnsafeMutablePointer<Element> {
    let start = UnsafeMutablePointer<Element>.allocate(capacity: max(1, elements.count))
    _ = UnsafeMutableBufferPointer(start: start, count: elements.count).initialize(from: elements)
    return start
  }
}

/// Groups target pixels by the taps that reach them and cuts the groups into tiles.
private struct PlanBuilder {
  /// One tap of a pixel: the tap's number and the pixel it reads.
  struct Reach: Hashable {
    let tap: Int
    let source: Int
  }

  let key: ConvolutionPlan.Key
  var tiles: [conv_tile] = []
  var taps: [Int32] = []
  var displacements: [Int32] = []
  var sources: [Int32] = []

  init(_ key: ConvolutionPlan.Key) { self.key = key }

  private var outputHeight: Int { (key.height + 2 * key.padding - key.kernel) / key.strides + 1 }
  private var outputWidth: Int { (key.width + 2 * key.padding - key.kernel) / key.strides + 1 }

  mutating func build() {
    let full = Int(conv_tile_pixels)
    var groups: [[Reach]: [(target: Int, base: Int)]] = [:]
    var order: [[Reach]] = []
    for target in 0..<targetCount {
      let reaches = reaches(target)
      let base = reaches.first?.source ?? 0
      let relative = reaches.map { Reach(tap: $0.tap, source: $0.source - base) }
      if groups[relative] == nil { order.append(relative) }
      groups[relative, default: []].append((target, base))
    }
    var rest: [(reaches: [Reach], pixels: ArraySlice<(target: Int, base: Int)>)] = []
    for reaches in order {
      let pixels = groups[reaches] ?? []
      let first = append(reaches)
      var index = 0
      while index + full <= pixels.count {
        appendTile(pixels[index..<(index + full)], taps: reaches.count, first: first)
        index += full
      }
      if index < pixels.count { rest.append((reaches, pixels[index...])) }
    }
    appendRest(rest)
    tiles.sort { $0.target.0 < $1.target.0 }
  }

  private var targetCount: Int {
    let pixels =
      key.direction == .forward ? outputHeight * outputWidth : key.height * key.width
    return pixels * key.images
  }

  /// The taps of one target pixel, in order, with the pixels they read.
  private func reaches(_ target: Int) -> [Reach] {
    let width = key.direction == .forward ? outputWidth : key.width
    let height = key.direction == .forward ? outputHeight : key.height
    let (image, pixel) = target.quotientAndRemainder(dividingBy: height * width)
    let (y, x) = pixel.quotientAndRemainder(dividingBy: width)
    var reaches: [Reach] = []
    for kh in 0..<key.kernel {
      guard let sy = source(y, kh, size: key.height, outputs: outputHeight) else { continue }
      for kw in 0..<key.kernel {
        guard let sx = source(x, kw, size: key.width, outputs: outputWidth) else { continue }
        let start =
          image
          * (key.direction == .forward ? key.height * key.width : outputHeight * outputWidth)
        let sourceWidth = key.direction == .forward ? key.width : outputWidth
        reaches.append(Reach(tap: kh * key.kernel + kw, source: start + sy * sourceWidth + sx))
      }
    }
    return reaches
  }

  /// Along one axis: the coordinate that `tap` reads for target coordinate `at`, if there is one.
  private func source(_ at: Int, _ tap: Int, size: Int, outputs: Int) -> Int? {
    switch key.direction {
    case .forward:
      let from = at * key.strides + tap - key.padding
      return (0..<size).contains(from) ? from : nil
    case .inputGradient:
      let (from, rest) = (at + key.padding - tap).quotientAndRemainder(dividingBy: key.strides)
      return rest == 0 && at + key.padding >= tap && from < outputs ? from : nil
    }
  }

  private mutating func append(_ reaches: [Reach]) -> Int {
    let first = taps.count
    taps += reaches.map { Int32($0.tap) }
    displacements += reaches.map { Int32($0.source) }
    return first
  }

  private mutating func appendTile(
    _ pixels: ArraySlice<(target: Int, base: Int)>, taps: Int, first: Int, mixed: Int = -1
  ) {
    var tile = conv_tile()
    tile.pixels = Int32(pixels.count)
    tile.taps = Int32(taps)
    tile.first = Int32(first)
    tile.mixed = Int32(mixed)
    withUnsafeMutableBytes(of: &tile.target) { targets in
      for (i, pixel) in pixels.enumerated() {
        targets.storeBytes(of: Int32(pixel.target), toByteOffset: 4 * i, as: Int32.self)
      }
    }
    withUnsafeMutableBytes(of: &tile.source) { bases in
      for (i, pixel) in pixels.enumerated() {
        bases.storeBytes(of: Int32(pixel.base), toByteOffset: 4 * i, as: Int32.self)
      }
    }
    tiles.append(tile)
  }

  /// Tiles for the pixels that filled none: short ones, or mixed ones where those cost less.
  private mutating func appendRest(
    _ rest: [(reaches: [Reach], pixels: ArraySlice<(target: Int, base: Int)>)]
  ) {
    let full = Int(conv_tile_pixels)
    // A tile of fewer than four pixels takes as long as one of four: it waits for its own sums.
    func cost(_ pixels: Int, _ taps: Int) -> Int { max(4, pixels) * taps }
    let apart = rest.reduce(0) { $0 + cost($1.pixels.count, $1.reaches.count) }
    let all = rest.flatMap { group in group.pixels.map { (group.reaches, $0) } }
    let union = Set(rest.flatMap { $0.reaches.map(\.tap) }).sorted()
    let together = stride(from: 0, to: all.count, by: full).reduce(0) {
      $0 + cost(min(full, all.count - $1), union.count)
    }
    guard together < apart else {
      for group in rest {
        let first = append(group.reaches)
        appendTile(group.pixels, taps: group.reaches.count, first: first)
      }
      return
    }
    for start in stride(from: 0, to: all.count, by: full) {
      let part = all[start..<min(start + full, all.count)]
      let first = taps.count
      let mixed = sources.count
      for tap in union {
        var row = [Int32](repeating: -1, count: full)
        for (i, pixel) in part.enumerated() {
          guard let reach = pixel.0.first(where: { $0.tap == tap }) else { continue }
          row[i] = Int32(pixel.1.base + reach.source)
        }
        sources += row
        taps.append(Int32(tap))
        displacements.append(0)
      }
      appendTile(part.map(\.1)[...], taps: union.count, first: first, mixed: mixed)
    }
  }
}
