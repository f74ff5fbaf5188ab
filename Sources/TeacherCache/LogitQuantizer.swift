import Tensors

/// One row of logits as it is stored: a code per class and what else it takes to undo them.
struct QuantizedRow: Equatable {
  /// `fp32`: the bits of z. `fp16`: the half bits of z − max without the sign. `q8`, `coarse`: steps.
  var codes: [Int32]
  /// `fp16`: max z; 0 otherwise.
  var maximum: Float = 0
  /// `q8`, `coarse`: half bits of 1 − max softmax at temperature 1; 0 otherwise.
  var doubt: UInt16 = 0
}

/// From logits to codes and back. The arithmetic, to the bit:
///
/// * `fp32`: the code is the bit pattern.
/// * `fp16`: d = z − max z in fp32; h = half(d), ties to even; the code is h without its sign,
///   which is always negative or zero. Decoded: max z + (−|h|), one fp32 addition.
/// * `q8`, `coarse`: k = round(double(z) ÷ Δ), ties to even. Decoded: float(double(k) · Δ).
///   No row constant enters the arithmetic, so |decoded − z| ≤ Δ/2 up to one fp32 rounding and a
///   decoded row has the codes that it came from.
enum LogitQuantizer {
  /// |k| stays below, far from any overflow; z up to 32 million at Δ = 0.12.
  static let codeLimit: Double = 0x1p28

  /// The codes of a row of finite logits; `what` names it in the error.
  static func quantize(
    _ logits: [Float], codec: LogitCodec, what: @autoclosure () -> String
  ) throws(CacheError) -> QuantizedRow {
    guard let maximum = logits.max(), logits.allSatisfy(\.isFinite) else {
      throw .unstorable(what: what(), reason: "a logit is not finite")
    }
    switch codec {
    case .fp32:
      return QuantizedRow(codes: logits.map { Int32(bitPattern: $0.bitPattern) })
    case .fp16:
      guard logits.allSatisfy({ $0 - maximum >= -HalfPrecision.largest }) else {
        throw .unstorable(what: what(), reason: "a logit is more than 65504 below the largest")
      }
      let codes = logits.map { Int32(HalfPrecision.bits($0 - maximum) & 0x7FFF) }
      return QuantizedRow(codes: codes, maximum: maximum)
    case .q8, .coarse:
      guard let step = codec.step else { preconditionFailure("\(codec) has a step") }
      var codes: [Int32] = []
      codes.reserveCapacity(logits.count)
      for logit in logits {
        let code = (Double(logit) / step).rounded(.toNearestOrEven)
        guard abs(code) < codeLimit else {
          throw .unstorable(
            what: what(), reason: "the logit \(logit) is too large for step \(step)")
        }
        codes.append(Int32(code))
      }
      return QuantizedRow(codes: codes, doubt: doubt(logits, maximum))
    }
  }

  /// The logit of a code.
  @inline(__always)
  static func logit(_ code: Int32, step: Double) -> Float { Float(Double(code) * step) }

  /// The logits that a row decodes to.
  static func logits(_ row: QuantizedRow, codec: LogitCodec) -> [Float] {
    switch codec {
    case .fp32:
      return row.codes.map { Float(bitPattern: UInt32(bitPattern: $0)) }
    case .fp16:
      return row.codes.map {
        row.maximum + HalfPrecision.value(UInt16(truncatingIfNeeded: $0) | 0x8000)
      }
    case .q8, .coarse:
      guard let step = codec.step else { preconditionFailure("\(codec) has a step") }
      return row.codes.map { logit($0, step: step) }
    }
  }

  /// Max softmax of the row at temperature 1, as stored beside quantised rows.
  static func confidence(doubt: UInt16) -> Float { 1 - HalfPrecision.value(doubt) }

  /// Max softmax at temperature 1 of the logits themselves, in double precision, rounded.
  static func confidence(of logits: UnsafeBufferPointer<Float>) -> Float {
    guard let maximum = logits.max() else { return 0 }
    return Float(1 / logits.reduce(0.0) { $0 + exponential(Double($1) - Double(maximum)) })
  }

  private static func doubt(_ logits: [Float], _ maximum: Float) -> UInt16 {
    let sum = logits.reduce(0.0) { $0 + exponential(Double($1) - Double(maximum)) }
    return HalfPrecision.bits(Float(1 - 1 / sum))
  }
}
