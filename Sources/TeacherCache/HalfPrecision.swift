/// IEEE half precision by integer arithmetic that the compiler turns into vectors.
enum HalfPrecision {
  /// The bits of the half nearest to `value`, ties to even; above 65,519.99 that is infinity.
  @inline(__always)
  static func bits(_ value: Float) -> UInt16 {
    let sign = UInt32(value.bitPattern >> 16) & 0x8000
    let magnitude = value.bitPattern & 0x7FFF_FFFF
    // Below 2^-14 halves are multiples of 2^-24; adding 0.5 lets the FPU round to those.
    let subnormal = (Float(bitPattern: magnitude) + 0.5).bitPattern &- 0x3F00_0000
    let rounded = magnitude &+ 0xC800_0FFF &+ ((magnitude >> 13) & 1)
    let half =
      magnitude < 0x3880_0000 ? subnormal : magnitude >= 0x477F_F000 ? 0x7C00 : rounded >> 13
    return UInt16(truncatingIfNeeded: sign | half)
  }

  /// The value of a finite half; exact.
  @inline(__always)
  static func value(_ bits: UInt16) -> Float {
    let magnitude = Float(bitPattern: UInt32(bits & 0x7FFF) << 13) * 0x1p112
    return Float(bitPattern: magnitude.bitPattern | UInt32(bits & 0x8000) << 16)
  }

  /// The largest finite half.
  static let largest: Float = 65_504
}
