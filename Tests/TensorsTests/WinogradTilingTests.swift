import CKernels
import Testing

@testable import Tensors

/// What is fetched ahead of its use: a wrong place would cost time and nothing else.
struct WinogradTilingTests {
  /// Three rows of two tiles an image; the lowest has two rows of pixels.
  private let tiling = WinogradTiling(images: 2, height: 10, width: 8)

  @Test(arguments: [
    (0..<2, 0..<4), (3..<5, 4..<10), (4..<8, 8..<14), (0..<12, 0..<20), (12..<12, 20..<20),
  ])
  func tilesLieInWholeRowsOfPixels(tiles: Range<Int>, rows: Range<Int>) {
    let images = Tensor.zeros([2, 10, 8, 3], in: TensorMemory())
    let span = tiling.span(of: images, tiles)
    let row = 8 * 3 * MemoryLayout<Float>.size
    #expect(span.from - UnsafeRawPointer(images.pointer) == rows.lowerBound * row)
    #expect(span.to - UnsafeRawPointer(images.pointer) == rows.upperBound * row)
  }

  @Test func partsOfASpanMeet() {
    let bytes = [UInt8](repeating: 0, count: 100)
    bytes.withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress else { return }
      let whole = winograd_span(from: start, to: start + 100)
      let parts = [0..<10, 10..<19, 19..<36].map { whole.part($0, of: 36) }
      #expect(parts.first?.from == whole.from && parts.last?.to == whole.to)
      #expect(zip(parts, parts.dropFirst()).allSatisfy { $0.to == $1.from })
      #expect(parts[0].to - parts[0].from == 27)
    }
  }
}
