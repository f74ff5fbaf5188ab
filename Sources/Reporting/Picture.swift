import CSPNG
import Glibc

/// A small picture of RGB bytes that can be written as PNG.
package struct Picture: Sendable {
  package struct Color: Sendable, Equatable {
    package let red: UInt8
    package let green: UInt8
    package let blue: UInt8

    package init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
      self.red = red
      self.green = green
      self.blue = blue
    }
  }

  package let height: Int
  package let width: Int
  /// H×W×3.
  package private(set) var pixels: [UInt8]

  /// A picture of one colour.
  package init(height: Int, width: Int, fill: Color) {
    precondition(height > 0 && width > 0, "a picture of \(height)×\(width) pixels")
    self.height = height
    self.width = width
    pixels = []
    pixels.reserveCapacity(height * width * 3)
    for _ in 0..<height * width {
      pixels.append(fill.red)
      pixels.append(fill.green)
      pixels.append(fill.blue)
    }
  }

  /// The colour of a pixel.
  package func color(row: Int, column: Int) -> Color {
    let start = (row * width + column) * 3
    return Color(pixels[start], pixels[start + 1], pixels[start + 2])
  }

  private mutating func set(row: Int, column: Int, to color: Color) {
    guard (0..<height).contains(row), (0..<width).contains(column) else { return }
    let start = (row * width + column) * 3
    pixels[start] = color.red
    pixels[start + 1] = color.green
    pixels[start + 2] = color.blue
  }

  /// Draws an image of H×W×3 bytes with its corner at (row, column), each of its pixels a square of
  /// `scale` × `scale`: nothing is interpolated.
  package mutating func draw(
    _ image: [UInt8], height: Int, width: Int, scale: Int, row: Int, column: Int
  ) {
    precondition(image.count == height * width * 3, "\(image.count) bytes for \(height)×\(width)")
    for y in 0..<height * scale {
      for x in 0..<width * scale {
        let start = (y / scale * width + x / scale) * 3
        set(
          row: row + y, column: column + x,
          to: Color(image[start], image[start + 1], image[start + 2]))
      }
    }
  }

  /// Writes a line of text with its corner at (row, column) in `PixelFont`; what does not fit is
  /// cut off.
  package mutating func write(
    _ text: String, row: Int, column: Int, scale: Int, color: Color
  ) {
    for (index, character) in text.enumerated() {
      for (y, bits) in PixelFont.rows(of: character).enumerated() {
        for x in 0..<PixelFont.width where bits >> (PixelFont.width - 1 - x) & 1 == 1 {
          for dy in 0..<scale {
            for dx in 0..<scale {
              set(
                row: row + y * scale + dy,
                column: column + (index * PixelFont.advance + x) * scale + dx, to: color)
            }
          }
        }
      }
    }
  }

  /// The picture as a PNG file of 8-bit RGB.
  package var png: [UInt8] {
    guard let context = spng_ctx_new(Int32(SPNG_CTX_ENCODER.rawValue)) else {
      preconditionFailure("no memory for libspng")
    }
    defer { spng_ctx_free(context) }
    var header = spng_ihdr()
    header.width = UInt32(width)
    header.height = UInt32(height)
    header.bit_depth = 8
    header.color_type = UInt8(SPNG_COLOR_TYPE_TRUECOLOR.rawValue)
    Self.check(spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1))
    Self.check(spng_set_ihdr(context, &header))
    Self.check(
      spng_encode_image(
        context, pixels, pixels.count, Int32(SPNG_FMT_PNG.rawValue),
        Int32(SPNG_ENCODE_FINALIZE.rawValue)))
    var count = 0
    var status: Int32 = 0
    // Sound: libspng gives a buffer of `count` bytes to its caller, who frees it.
    guard let buffer = spng_get_png_buffer(context, &count, &status) else {
      preconditionFailure("libspng gave no picture: \(String(cString: spng_strerror(status)))")
    }
    defer { free(buffer) }
    return Array(UnsafeRawBufferPointer(start: buffer, count: count))
  }

  /// With sizes that were checked nothing but a lack of memory can go wrong.
  private static func check(_ status: Int32) {
    precondition(status == 0, "libspng failed: \(String(cString: spng_strerror(status)))")
  }
}
