internal import Datasets
internal import FileIO

/// Features of one view at one tap as stored bytes.
///
/// u64 pixel hash, u16 height, u16 width, then over n = H·W·C values in H×W×C order:
///
/// * `fp32`: four planes, top byte first, of the bits rotated left by one;
/// * `fp16`: two planes, high and low byte, of the halves (rounded, ties to even);
/// * `q8`: u8 signed (1) or not (0), f32 scale × C, one plane of codes. Scale s = max |x| of the
///   channel ÷ 127 (÷ 255 unsigned, where no value is negative), one fp32 division; the code is
///   round(double(x) ÷ double(s)), ties to even, within ±127 (0…255), 0 where s is 0. Decoded:
///   float(code) · s, one fp32 product.
enum FeatureRecord {
  /// What precedes the planes, and the planes.
  struct Parts {
    var head: [UInt8]
    var planes: [[UInt8]]

    /// The bytes that enter the content hash.
    var expanded: [UInt8] { planes.reduce(head, +) }

    func stored(_ encoder: PlaneEncoder) -> [UInt8] {
      var bytes = head
      for plane in planes { encoder.append(plane, to: &bytes) }
      return bytes
    }
  }

  static func parts(
    _ values: [Float], shape: TapShape, precision: FeaturePrecision, pixelHash: UInt64,
    what: @autoclosure () -> String
  ) throws(CacheError) -> Parts {
    guard values.allSatisfy(\.isFinite) else {
      throw .unstorable(what: what(), reason: "a feature is not finite")
    }
    var parts = Parts(head: [], planes: [])
    parts.head.append(littleEndian: pixelHash)
    parts.head.append(littleEndian: UInt16(shape.height))
    parts.head.append(littleEndian: UInt16(shape.width))
    switch precision {
    case .fp32:
      parts.planes = ([24, 16, 8, 0] as [UInt32]).map { shift in
        values.map { value in
          let bits = value.bitPattern
          return UInt8(truncatingIfNeeded: (bits << 1 | bits >> 31) >> shift)
        }
      }
    case .fp16:
      guard values.allSatisfy({ abs($0) <= HalfPrecision.largest }) else {
        throw .unstorable(what: what(), reason: "a feature is beyond ±65504, which fp16 ends at")
      }
      let halves = values.map(HalfPrecision.bits)
      parts.planes = [
        halves.map { UInt8(truncatingIfNeeded: $0 >> 8) },
        halves.map { UInt8(truncatingIfNeeded: $0) },
      ]
    case .q8:
      quantize(values, channels: shape.channels, into: &parts)
    }
    return parts
  }

  private static func quantize(_ values: [Float], channels: Int, into parts: inout Parts) {
    let signed = values.contains { $0 < 0 }
    let steps: Float = signed ? 127 : 255
    var scales = [Float](repeating: 0, count: channels)
    for (index, value) in values.enumerated() {
      scales[index % channels] = max(scales[index % channels], abs(value))
    }
    for channel in 0..<channels { scales[channel] /= steps }
    parts.head.append(signed ? 1 : 0)
    for scale in scales { parts.head.append(littleEndian: scale.bitPattern) }
    let limit = Double(steps)
    let codes = values.enumerated().map { index, value in
      let scale = Double(scales[index % channels])
      if scale == 0 { return UInt8(0) }
      let code = (Double(value) / scale).rounded(.toNearestOrEven)
      return UInt8(truncatingIfNeeded: Int(min(limit, max(-limit, code))))
    }
    parts.planes = [codes]
  }
}

/// Reads feature records; keeps its buffers between reads.
final class FeatureDecoder {
  private let decoder = PlaneDecoder()
  private var planes: [UInt8] = []
  private var scales: [Float] = []

  /// Checks the record that `bytes` begins with, decodes it into `values` and gives the hash of
  /// the pixels behind it.
  func decode(
    _ bytes: UnsafeRawBufferPointer, key: RecordKey, shape: TapShape,
    precision: FeaturePrecision, into values: UnsafeMutableBufferPointer<Float>
  ) throws(MalformedRecord) -> UInt64 {
    let (_, head) = try open(bytes, key: key, shape: shape, precision: precision)
    let count = shape.count
    planes.withUnsafeBufferPointer { planes in
      switch precision {
      case .fp32:
        for index in 0..<count {
          let bits =
            UInt32(planes[index]) << 24 | UInt32(planes[count + index]) << 16
            | UInt32(planes[2 * count + index]) << 8 | UInt32(planes[3 * count + index])
          values[index] = Float(bitPattern: bits >> 1 | bits << 31)
        }
      case .fp16:
        for index in 0..<count {
          values[index] = HalfPrecision.value(
            UInt16(planes[index]) << 8 | UInt16(planes[count + index]))
        }
      case .q8:
        let signed = head[12] == 1
        scales.withUnsafeBufferPointer { scales in
          for start in stride(from: 0, to: count, by: shape.channels) {
            for channel in 0..<shape.channels {
              let code = planes[start + channel]
              values[start + channel] =
                (signed ? Float(Int8(bitPattern: code)) : Float(code)) * scales[channel]
            }
          }
        }
      }
    }
    return UInt64(littleEndian: head.loadUnaligned(as: UInt64.self))
  }

  /// The label and the bytes that enter the content hash.
  func expanded(
    _ bytes: UnsafeRawBufferPointer, key: RecordKey, shape: TapShape, precision: FeaturePrecision
  ) throws(MalformedRecord) -> (label: Int, parts: FeatureRecord.Parts) {
    let (header, head) = try open(bytes, key: key, shape: shape, precision: precision)
    let count = shape.count
    let parts = stride(from: 0, to: planes.count, by: count).map {
      Array(planes[$0..<$0 + count])
    }
    return (header.label, FeatureRecord.Parts(head: Array(head), planes: parts))
  }

  /// Checks a record and expands its planes; gives its header and the bytes before the planes.
  private func open(
    _ bytes: UnsafeRawBufferPointer, key: RecordKey, shape: TapShape, precision: FeaturePrecision
  ) throws(MalformedRecord) -> (RecordHeader, UnsafeRawBufferPointer) {
    let (header, stored) = try RecordHeader.open(bytes)
    guard header.key == key, header.encoding == RecordEncoding(precision), header.count == 1,
      header.width == shape.channels, header.rawLength == shape.count * 4
    else { throw MalformedRecord(reason: "a record is not the one that its place says") }
    var reader = ByteReader(stored)
    let headSize = 12 + (precision == .q8 ? 1 + 4 * shape.channels : 0)
    let head = try reader.take(headSize)
    let place = head.loadUnaligned(fromByteOffset: 8, as: UInt32.self)
    guard UInt32(littleEndian: place) == UInt32(shape.width) << 16 | UInt32(shape.height) else {
      throw MalformedRecord(reason: "features have another height or width")
    }
    if precision == .q8 {
      scales = (0..<shape.channels).map { channel in
        let bits = head.loadUnaligned(fromByteOffset: 13 + 4 * channel, as: UInt32.self)
        return Float(bitPattern: UInt32(littleEndian: bits))
      }
    }
    let number = precision == .fp32 ? 4 : precision == .fp16 ? 2 : 1
    let size = shape.count
    if planes.count != number * size { planes = [UInt8](repeating: 0, count: number * size) }
    var failure: MalformedRecord?
    planes.withUnsafeMutableBytes { planes in
      do throws(MalformedRecord) {
        for plane in 0..<number {
          let part = UnsafeMutableRawBufferPointer(
            rebasing: planes[plane * size..<(plane + 1) * size])
          try decoder.decode(&reader, into: part)
        }
      } catch { failure = error }
    }
    if let failure { throw failure }
    guard reader.isAtEnd else { throw MalformedRecord(reason: "bytes follow the last plane") }
    return (header, head)
  }
}
