/// Operations that give every byte a new value by a table: one table for all channels or one each.

/// Replaces byte v of channel c by `tables[c·256 + v]`.
func replace(_ image: inout MutableSpan<UInt8>, by tables: InlineArray<768, UInt8>) {
  for i in stride(from: 0, to: image.count, by: 3) {
    image[i] = tables[Int(image[i])]
    image[i + 1] = tables[256 + Int(image[i + 1])]
    image[i + 2] = tables[512 + Int(image[i + 2])]
  }
}

/// The same table for the three channels.
private func tables(_ value: (Int) -> UInt8) -> InlineArray<768, UInt8> {
  InlineArray { value($0 & 255) }
}

/// Brightness: black blended with the image, trunc(f·v). Factors are below 1, so it only darkens.
func brighten(_ image: inout MutableSpan<UInt8>, factor: Float) {
  replace(&image, by: tables { UInt8(factor * Float($0)) })
}

/// Contrast: the mean luma m blended with the image, trunc(m + f·(v − m)).
func changeContrast(_ image: inout MutableSpan<UInt8>, factor: Float) {
  var sum = 0
  for i in stride(from: 0, to: image.count, by: 3) {
    sum += luma(image[i], image[i + 1], image[i + 2])
  }
  let mean = Float(Int(Double(sum) / Double(image.count / 3) + 0.5))
  replace(&image, by: tables { UInt8(mean + factor * (Float($0) - mean)) })
}

/// Posterize: only the high bits stay.
func posterize(_ image: inout MutableSpan<UInt8>, bits: Int) {
  let mask = UInt8(truncatingIfNeeded: 0xFF << (8 - bits))
  replace(&image, by: tables { UInt8($0) & mask })
}

/// Solarize: bytes from the threshold on are inverted.
func solarize(_ image: inout MutableSpan<UInt8>, threshold: Double) {
  replace(&image, by: tables { UInt8(Double($0) < threshold ? $0 : 255 - $0) })
}

/// AutoContrast: every channel is stretched so that its extremes become 0 and 255.
func stretchContrast(_ image: inout MutableSpan<UInt8>) {
  var tables = InlineArray<768, UInt8> { UInt8($0 & 255) }
  for channel in 0..<3 {
    var (low, high) = (UInt8.max, UInt8.min)
    for i in stride(from: channel, to: image.count, by: 3) {
      low = min(low, image[i])
      high = max(high, image[i])
    }
    guard high > low else { continue }
    let scale = 255 / Double(high - low)
    let offset = -Double(low) * scale
    for value in 0..<256 {
      let stretched = Int(Double(value) * scale + offset)
      tables[channel * 256 + value] = UInt8(max(0, min(255, stretched)))
    }
  }
  replace(&image, by: tables)
}

/// Equalize: every channel's values are spread so that its histogram becomes as flat as can be.
func equalize(_ image: inout MutableSpan<UInt8>) {
  var tables = InlineArray<768, UInt8> { UInt8($0 & 255) }
  for channel in 0..<3 {
    var histogram = InlineArray<256, Int>(repeating: 0)
    var highest = 0
    for i in stride(from: channel, to: image.count, by: 3) {
      histogram[Int(image[i])] += 1
      highest = max(highest, Int(image[i]))
    }
    let step = (image.count / 3 - histogram[highest]) / 255
    guard step > 0 else { continue }
    var below = step / 2
    for value in 0..<256 {
      tables[channel * 256 + value] = UInt8(min(255, below / step))
      below += histogram[value]
    }
  }
  replace(&image, by: tables)
}

/// ITU-R 601-2 luma in integers, as Pillow's conversion to "L".
@inline(__always)
func luma(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> Int {
  (19595 * Int(red) + 38470 * Int(green) + 7471 * Int(blue) + 0x8000) >> 16
}
