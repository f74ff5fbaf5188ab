/// One array of a weight file: element type, shape and little-endian bytes.
package struct StateTensor: Sendable, Equatable {
  /// The element types that are read; the names are those of the file format.
  package enum DType: String, Sendable, CaseIterable {
    case i64 = "I64"
    case f64 = "F64"
    case f32 = "F32"
    case i32 = "I32"
    case bf16 = "BF16"
    case f16 = "F16"
    case u8 = "U8"
    case bool = "BOOL"

    /// Bytes of one element.
    package var size: Int {
      switch self {
      case .i64, .f64: 8
      case .f32, .i32: 4
      case .bf16, .f16: 2
      case .u8, .bool: 1
      }
    }

    /// The place of this type in a file: widest first, as the reference library sorts, so that
    /// every array starts at a multiple of its element size.
    var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
  }

  package let dtype: DType
  package let shape: [Int]
  package let bytes: [UInt8]

  package init(dtype: DType, shape: [Int], bytes: [UInt8]) {
    let expected = shape.reduce(1, *) * dtype.size
    precondition(
      bytes.count == expected,
      "\(dtype.rawValue) of shape \(shape) takes \(expected) bytes, not \(bytes.count)")
    self.dtype = dtype
    self.shape = shape
    self.bytes = bytes
  }

  /// An F32 array.
  package init(_ values: [Float], shape: [Int]) {
    self.init(
      dtype: .f32, shape: shape, bytes: Self.bytes(of: values.map { $0.bitPattern.littleEndian }))
  }

  /// An I64 array.
  package init(_ values: [Int64], shape: [Int]) {
    self.init(dtype: .i64, shape: shape, bytes: Self.bytes(of: values.map { $0.littleEndian }))
  }

  /// The elements as single precision; F64 and integers are rounded, BOOL is 0 or 1.
  package var floats: [Float] {
    switch dtype {
    case .f32: elements(UInt32.self) { Float(bitPattern: UInt32(littleEndian: $0)) }
    case .bf16: elements(UInt16.self) { Float(bitPattern: UInt32(UInt16(littleEndian: $0)) << 16) }
    case .f16: elements(UInt16.self) { Self.single(half: UInt16(littleEndian: $0)) }
    case .f64: elements(UInt64.self) { Float(Double(bitPattern: UInt64(littleEndian: $0))) }
    case .i64: elements(Int64.self) { Float(Int64(littleEndian: $0)) }
    case .i32: elements(Int32.self) { Float(Int32(littleEndian: $0)) }
    case .u8: bytes.map(Float.init)
    case .bool: bytes.map { $0 == 0 ? 0 : 1 }
    }
  }

  /// The elements as integers, or nil where the type is not an integer type.
  package var integers: [Int64]? {
    switch dtype {
    case .i64: elements(Int64.self) { Int64(littleEndian: $0) }
    case .i32: elements(Int32.self) { Int64(Int32(littleEndian: $0)) }
    case .u8, .bool: bytes.map(Int64.init)
    case .f64, .f32, .bf16, .f16: nil
    }
  }

  private func elements<Raw: BitwiseCopyable, Value>(
    _ type: Raw.Type, _ value: (Raw) -> Value
  ) -> [Value] {
    bytes.withUnsafeBytes { raw in
      (0..<raw.count / MemoryLayout<Raw>.size).map {
        value(raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Raw>.size, as: Raw.self))
      }
    }
  }

  private static func bytes<Raw: BitwiseCopyable>(of values: [Raw]) -> [UInt8] {
    values.withUnsafeBytes { Array($0) }
  }

  /// IEEE 754 binary16 widened exactly; spelt out because `Float16` is missing on some platforms.
  private static func single(half bits: UInt16) -> Float {
    let sign: Float = bits & 0x8000 == 0 ? 1 : -1
    let exponent = Int(bits >> 10 & 0x1f)
    let fraction = UInt32(bits & 0x3ff)
    switch exponent {
    case 0: return sign * Float(fraction) * 0x1p-24
    case 31: return fraction == 0 ? sign * .infinity : .nan
    default:
      let pattern = UInt32(exponent + 112) << 23 | fraction << 13
      return sign * Float(bitPattern: pattern)
    }
  }
}
