/// Operations that blend the image with a changed copy of itself, and the cutout.

/// The blend base + f·(v − base) in fp32, truncated: Pillow's `Image.blend` for 0 ≤ f ≤ 1.
@inline(__always)
private func blend(_ base: UInt8, _ value: UInt8, _ factor: Float) -> UInt8 {
  UInt8(Float(base) + factor * Float(Int(value) - Int(base)))
}

/// Color: the gray image blended with the image. Factors are below 1, so it only takes colour away.
func changeColor(_ image: inout MutableSpan<UInt8>, factor: Float) {
  for i in stride(from: 0, to: image.count, by: 3) {
    let (red, green, blue) = (image[i], image[i + 1], image[i + 2])
    let gray = UInt8(luma(red, green, blue))
    image[i] = blend(gray, red, factor)
    image[i + 1] = blend(gray, green, factor)
    image[i + 2] = blend(gray, blue, factor)
  }
}

/// Sharpness: the smoothed image blended with the image. Factors are below 1, so it only blurs.
///
/// Smoothing is the kernel [1 1 1; 1 5 1; 1 1 1]/13 with ½ added, summed in fp32 in Pillow's
/// order: the bottom row first, each row from the left. The border stays as it is.
func changeSharpness(
  _ image: inout MutableSpan<UInt8>, factor: Float, height: Int, width: Int,
  scratch: inout MutableSpan<UInt8>
) {
  for i in 0..<image.count { scratch[i] = image[i] }
  let (edge, centre) = (Float(1) / 13, Float(5) / 13)
  let row = width * 3
  for y in stride(from: 1, to: height - 1, by: 1) {
    for i in stride(from: y * row + 3, to: (y + 1) * row - 3, by: 1) {
      var sum: Float = 0.5
      sum += weighted(scratch, around: i + row, edge, edge)
      sum += weighted(scratch, around: i, edge, centre)
      sum += weighted(scratch, around: i - row, edge, edge)
      // The sum is 0.5…255.5; anything above 255 truncates to 255.
      image[i] = blend(UInt8(min(sum, 255)), scratch[i], factor)
    }
  }
}

/// Three neighbours of one channel in a row, weighted: (left·edge + middle·centre) + right·edge.
@inline(__always)
private func weighted(
  _ bytes: borrowing MutableSpan<UInt8>, around i: Int, _ edge: Float, _ centre: Float
) -> Float {
  (Float(bytes[i - 3]) * edge + Float(bytes[i]) * centre) + Float(bytes[i + 3]) * edge
}

/// Draws the cutout: a square of the data set's mean colour (125, 123, 114), both corners inside.
func cut(_ image: inout MutableSpan<UInt8>, _ cutout: Cutout, height: Int, width: Int) {
  guard cutout.side > 0 else { return }
  let side = cutout.side * Double(width)
  let left = Int(max(0, cutout.x - side / 2))
  let top = Int(max(0, cutout.y - side / 2))
  let right = min(width - 1, Int(min(Double(width), Double(left) + side)))
  let bottom = min(height - 1, Int(min(Double(height), Double(top) + side)))
  guard left <= right && top <= bottom else { return }
  for y in top...bottom {
    for x in left...right {
      let i = (y * width + x) * 3
      image[i] = 125
      image[i + 1] = 123
      image[i + 2] = 114
    }
  }
}
