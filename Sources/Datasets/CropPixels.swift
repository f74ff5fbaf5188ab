/// Cuts a crop out of the image with black padding around it, then mirrors it.
///
/// Output (y, x) is input (y + dy − padding, x′ + dx − padding) with x′ = x, or W − 1 − x when
/// mirrored; black (0) outside: the padding is black before normalisation.
func crop(
  _ source: Span<UInt8>, _ crop: Crop, padding: Int, height: Int, width: Int,
  into output: inout MutableSpan<UInt8>
) {
  let (top, left) = (crop.dy - padding, crop.dx - padding)
  for y in 0..<height {
    let row = y * width * 3
    guard (0..<height).contains(y + top) else {
      for i in row..<row + width * 3 { output[i] = 0 }
      continue
    }
    let sourceRow = (y + top) * width
    for x in 0..<width {
      let sourceX = (crop.flip ? width - 1 - x : x) + left
      let to = row + x * 3
      if sourceX >= 0 && sourceX < width {
        let from = (sourceRow + sourceX) * 3
        output[to] = source[from]
        output[to + 1] = source[from + 1]
        output[to + 2] = source[from + 2]
      } else {
        output[to] = 0
        output[to + 1] = 0
        output[to + 2] = 0
      }
    }
  }
}
