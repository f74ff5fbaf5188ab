/// A block of logits in the course of being read: its record checked, its reference row decoded.
///
/// Kept between reads, so that the next view of the same image costs only its own row.
final class LogitBlock {
  // Sound: used by one thread at a time (`CacheReader` lends it out); `stored` points into a
  // map that the unit behind `address` keeps as long as the reader, which owns this block.
  // Offsets into `stored` were checked by `open`.
  private(set) var address: UnsafeRawPointer?
  private(set) var header: RecordHeader?
  private var codec = LogitCodec.fp32
  private var stored = UnsafeRawBufferPointer(start: nil, count: 0)
  private var sideStart = 0
  private var lowStart = 0
  private var rowsStart = 0
  private var rowEnds: [Int] = []
  private var reference: [Int32] = []
  private var hasReference = false
  private var row: [Int32] = []

  /// Checks the record that `bytes` begins with and decodes what its views share.
  func open(
    _ bytes: UnsafeRawBufferPointer, key: RecordKey, codec: LogitCodec, classes: Int
  ) throws(MalformedRecord) {
    address = nil
    let (header, stored) = try RecordHeader.open(bytes)
    guard header.key == key, header.encoding == RecordEncoding(codec), header.width == classes,
      header.rawLength == header.count * classes * 4
    else { throw MalformedRecord(reason: "a record is not the one that its place says") }
    self.header = header
    self.codec = codec
    self.stored = stored
    var reader = ByteReader(stored)
    _ = try reader.take(header.count * 8)
    sideStart = reader.position
    _ = try reader.take(header.count * LogitRecord.sideBytes(codec))
    lowStart = reader.position
    _ = try reader.take(header.count * classes * LogitRecord.lowBytes(codec))
    try openRows(&reader, header)
    address = bytes.baseAddress
  }

  /// XXH3-64 of the pixels behind view `index` of the block.
  func pixelHash(_ index: Int) -> UInt64 {
    UInt64(littleEndian: stored.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
  }

  /// The stored confidence of view `index`; nil where logits are exact enough without.
  func confidence(_ index: Int) -> Float? {
    codec.step == nil ? nil : LogitQuantizer.confidence(doubt: doubt(index))
  }

  /// Decodes the logits of view `index`.
  func logits(
    _ index: Int, into logits: UnsafeMutablePointer<Float>
  ) throws(MalformedRecord) {
    try decodeRow(index)
    let classes = row.count
    let low = UnsafeRawBufferPointer(
      rebasing: stored[(lowStart + index * classes * LogitRecord.lowBytes(codec))...])
    row.withUnsafeBufferPointer { row in
      switch codec {
      case .fp32:
        for column in 0..<classes {
          logits[column] = Float(bitPattern: Self.bits(row[column], low, column))
        }
      case .fp16:
        let maximum = maximum(index)
        for column in 0..<classes {
          let code = Self.half(row[column], low, column)
          logits[column] = maximum + HalfPrecision.value(code | 0x8000)
        }
      case .q8, .coarse:
        guard let step = codec.step else { preconditionFailure("\(codec) has a step") }
        for column in 0..<classes { logits[column] = LogitQuantizer.logit(row[column], step: step) }
      }
    }
  }

  /// The codes of view `index`, as they were quantised.
  func quantized(_ index: Int) throws(MalformedRecord) -> QuantizedRow {
    try decodeRow(index)
    let low = UnsafeRawBufferPointer(
      rebasing: stored[(lowStart + index * row.count * LogitRecord.lowBytes(codec))...])
    switch codec {
    case .fp32:
      return QuantizedRow(
        codes: row.indices.map { Int32(bitPattern: Self.bits(row[$0], low, $0)) })
    case .fp16:
      return QuantizedRow(
        codes: row.indices.map { Int32(Self.half(row[$0], low, $0)) }, maximum: maximum(index))
    case .q8, .coarse:
      // Coding gives no others, and takes no others.
      guard row.allSatisfy({ abs(Double($0)) < LogitQuantizer.codeLimit }) else {
        throw MalformedRecord(reason: "a code of a logit is 2²⁸ or more")
      }
      return QuantizedRow(codes: row, doubt: doubt(index))
    }
  }

  /// View `index` as it was before encoding.
  func view(_ index: Int) throws(MalformedRecord) -> LogitView {
    LogitView(pixelHash: pixelHash(index), row: try quantized(index))
  }

  /// The bits of a float from its exponent and its three low bytes.
  @inline(__always)
  private static func bits(
    _ high: Int32, _ low: UnsafeRawBufferPointer, _ column: Int
  ) -> UInt32 {
    let place = column * 3
    let turned =
      UInt32(truncatingIfNeeded: high) << 24 | UInt32(low[place + 2]) << 16
      | UInt32(low[place + 1]) << 8 | UInt32(low[place])
    return turned >> 1 | turned << 31
  }

  /// The bits of a half without its sign.
  @inline(__always)
  private static func half(
    _ high: Int32, _ low: UnsafeRawBufferPointer, _ column: Int
  ) -> UInt16 {
    UInt16(truncatingIfNeeded: high << 8) & 0x7FFF | UInt16(low[column])
  }

  private func maximum(_ index: Int) -> Float {
    let bits = stored.loadUnaligned(fromByteOffset: sideStart + index * 4, as: UInt32.self)
    return Float(bitPattern: UInt32(littleEndian: bits))
  }

  private func doubt(_ index: Int) -> UInt16 {
    UInt16(
      littleEndian: stored.loadUnaligned(fromByteOffset: sideStart + index * 2, as: UInt16.self))
  }

  private func openRows(
    _ reader: inout ByteReader, _ header: RecordHeader
  ) throws(MalformedRecord) {
    rowEnds.removeAll(keepingCapacity: true)
    var end = 0
    for _ in 0...header.count {
      end += Int(try reader.variableLength())
      rowEnds.append(end)
    }
    rowsStart = reader.position
    _ = try reader.take(end)
    guard reader.isAtEnd else { throw MalformedRecord(reason: "bytes follow the last row") }
    if row.count != header.width {
      row = [Int32](repeating: 0, count: header.width)
      reference = row
    }
    hasReference = rowEnds[0] > 0
    if hasReference { try decode(from: 0, to: rowEnds[0], reference: nil, into: &reference) }
  }

  private func decodeRow(_ index: Int) throws(MalformedRecord) {
    let (start, end) = (rowEnds[index], rowEnds[index + 1])
    guard hasReference else {
      return try decode(from: start, to: end, reference: nil, into: &row)
    }
    var failure: MalformedRecord?
    reference.withUnsafeBufferPointer { reference in
      do throws(MalformedRecord) {
        try decode(from: start, to: end, reference: reference.baseAddress, into: &row)
      } catch { failure = error }
    }
    if let failure { throw failure }
  }

  private func decode(
    from start: Int, to end: Int, reference: UnsafePointer<Int32>?, into row: inout [Int32]
  ) throws(MalformedRecord) {
    var failure: MalformedRecord?
    let bytes = UnsafeRawBufferPointer(rebasing: stored[rowsStart + start..<rowsStart + end])
    row.withUnsafeMutableBufferPointer { row in
      do throws(MalformedRecord) {
        try StepRows.decode(bytes, reference: reference, into: row)
      } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
