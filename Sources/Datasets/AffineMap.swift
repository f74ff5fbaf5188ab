import Foundation

/// A map from output pixels to input pixels: x_in = a·x + b·y + c, y_in = d·x + e·y + f.
struct AffineMap {
  var (a, b, c) = (1.0, 0.0, 0.0)
  var (d, e, f) = (0.0, 1.0, 0.0)

  /// The map of a geometric operation on an image of this size; nil where nothing moves.
  init?(_ operation: ImageOperation, height: Int, width: Int) {
    let v = operation.magnitude
    switch operation.kind {
    case .shearX: b = v
    case .shearY: d = v
    case .translateX: c = v * Double(width)
    case .translateY: f = v * Double(height)
    case .rotate:
      let degrees = v.truncatingRemainder(dividingBy: 360)
      if degrees == 0 { return nil }
      self = AffineMap(
        rotation: degrees < 0 ? degrees + 360 : degrees, height: height, width: width)
    default: return nil
    }
  }

  /// The rotation about the image's centre, as Pillow's `Image.rotate` computes it.
  private init(rotation degrees: Double, height: Int, width: Int) {
    let angle = -(degrees * (Double.pi / 180))
    let (centreX, centreY) = (Double(width) / 2, Double(height) / 2)
    a = roundedToFifteenPlaces(cos(angle))
    b = roundedToFifteenPlaces(sin(angle))
    d = roundedToFifteenPlaces(-sin(angle))
    e = roundedToFifteenPlaces(cos(angle))
    c = a * -centreX + b * -centreY + 0 + centreX
    f = d * -centreX + e * -centreY + 0 + centreY
  }
}

/// Moves the image's pixels by the map: nearest input pixel, black outside.
///
/// Pillow's two ways, which differ in the last bit: pure scaling and moving adds up in Double,
/// everything else in 16.16 fixed point.
func move(
  _ image: inout MutableSpan<UInt8>, by map: AffineMap, height: Int, width: Int,
  scratch: inout MutableSpan<UInt8>
) {
  for i in 0..<image.count { scratch[i] = image[i] }
  if map.b == 0 && map.d == 0 {
    var y = map.f + map.e * 0.5
    for row in 0..<height {
      var x = map.c + map.a * 0.5
      for column in 0..<width {
        // Not Int(x) alone: it would bring −0.5 to column 0.
        let inside = x >= 0 && x < Double(width) && y >= 0 && y < Double(height)
        copyPixel(
          from: inside ? Int(y) * width + Int(x) : -1, of: scratch, to: row * width + column,
          of: &image)
        x += map.a
      }
      y += map.e
    }
    return
  }
  let (a, b, d, e) = (fixed(map.a), fixed(map.b), fixed(map.d), fixed(map.e))
  var rowX = fixed(map.c + map.a * 0.5 + map.b * 0.5)
  var rowY = fixed(map.f + map.d * 0.5 + map.e * 0.5)
  for row in 0..<height {
    var (x, y) = (rowX, rowY)
    for column in 0..<width {
      let (inputX, inputY) = (x >> 16, y >> 16)
      let inside = inputX >= 0 && inputX < width && inputY >= 0 && inputY < height
      copyPixel(
        from: inside ? inputY * width + inputX : -1, of: scratch, to: row * width + column,
        of: &image)
      x += a
      y += d
    }
    rowX += b
    rowY += e
  }
}

/// Copies one pixel, or black where the input is −1.
@inline(__always)
private func copyPixel(
  from input: Int, of source: borrowing MutableSpan<UInt8>, to output: Int,
  of image: inout MutableSpan<UInt8>
) {
  let (from, to) = (input * 3, output * 3)
  image[to] = input < 0 ? 0 : source[from]
  image[to + 1] = input < 0 ? 0 : source[from + 1]
  image[to + 2] = input < 0 ? 0 : source[from + 2]
}

/// A number in 16.16 fixed point, rounded.
private func fixed(_ value: Double) -> Int {
  Int((value * 65536 + 0.5).rounded(.down))
}

/// A number of −1…1 rounded to 15 decimal places, exactly as Python's `round(value, 15)`.
///
/// Product and error are exact together, and integer/10¹⁵ is rounded once, so the result is the
/// double nearest to the decimal fraction. It also makes the last bit of `cos` irrelevant.
func roundedToFifteenPlaces(_ value: Double) -> Double {
  let product = value * 1e15
  let error = (-product).addingProduct(value, 1e15)
  var integer = product.rounded(.toNearestOrEven)
  let rest = (product - integer) + error
  if rest > 0.5 { integer += 1 }
  if rest < -0.5 { integer -= 1 }
  return integer / 1e15
}
