/// A block of logits in the course of being read: its record checked, its shared parts decoded.
///
/// Kept between reads, so that the next view of the same image costs only its own row.
final class LogitBlock {
  // Sound: used by one thread at a time (`CacheReader` lends it out); `stored` points into a
  // map that the unit behind `address` keeps as long as the reader, which owns this block.
  private(set) var address: UnsafeRawPointer?
  private(set) var header: RecordHeader?
  private var codec = LogitCodec.fp32
  private var stored = UnsafeRawBufferPointer(start: nil, count: 0)
  private var rowEnds: [Int] = []
  private var rowsStart = 0
  private var reference: [Int32] = []
  private var hasReference = false
  private var codes: [Int32] = []
  private var planes: [UInt8] = []
  private let decoder = PlaneDecoder()

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
    switch codec {
    case .fp32: try openPlanes(4, &reader, header)
    case .fp16:
      _ = try reader.take(header.count * 4)
      try openPlanes(2, &reader, header)
    case .q8, .coarse:
      _ = try reader.take(header.count * 2)
      try openRows(&reader, header)
    }
    address = bytes.baseAddress
  }

  /// XXH3-64 of the pixels behind view `index` of the block.
  func pixelHash(_ index: Int) -> UInt64 {
    UInt64(littleEndian: stored.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
  }

  /// The stored confidence of view `index`; nil where logits are exact enough without.
  func confidence(_ index: Int) -> Float? {
    codec.step == nil ? nil : LogitQuantizer.confidence(doubt: sideNumber(index, UInt16.self))
  }

  /// Decodes the logits of view `index`.
  func logits(
    _ index: Int, into logits: UnsafeMutablePointer<Float>
  ) throws(MalformedRecord) {
    guard let header else { preconditionFailure("no record is open") }
    let classes = header.width
    switch codec {
    case .fp32:
      planes.withUnsafeBufferPointer { planes in
        let (count, row) = (header.count * classes, index * classes)
        for column in 0..<classes {
          let place = row + column
          let bits =
            UInt32(planes[place]) << 24 | UInt32(planes[count + place]) << 16
            | UInt32(planes[2 * count + place]) << 8 | UInt32(planes[3 * count + place])
          logits[column] = Float(bitPattern: bits >> 1 | bits << 31)
        }
      }
    case .fp16:
      let maximum = Float(bitPattern: sideNumber(index, UInt32.self))
      planes.withUnsafeBufferPointer { planes in
        let (count, row) = (header.count * classes, index * classes)
        for column in 0..<classes {
          let bits = UInt16(planes[row + column]) << 8 | UInt16(planes[count + row + column])
          logits[column] = maximum + HalfPrecision.value(bits | 0x8000)
        }
      }
    case .q8, .coarse:
      guard let step = codec.step else { preconditionFailure("\(codec) has a step") }
      try decodeRow(index)
      codes.withUnsafeBufferPointer { codes in
        for column in 0..<classes {
          logits[column] = LogitQuantizer.logit(codes[column], step: step)
        }
      }
    }
  }

  /// The codes of view `index`, as they were quantised.
  func row(_ index: Int) throws(MalformedRecord) -> QuantizedRow {
    guard let header else { preconditionFailure("no record is open") }
    let (count, row) = (header.count * header.width, index * header.width)
    switch codec {
    case .fp32:
      return QuantizedRow(
        codes: (row..<row + header.width).map { place in
          let bits =
            UInt32(planes[place]) << 24 | UInt32(planes[count + place]) << 16
            | UInt32(planes[2 * count + place]) << 8 | UInt32(planes[3 * count + place])
          return Int32(bitPattern: bits >> 1 | bits << 31)
        })
    case .fp16:
      return QuantizedRow(
        codes: (row..<row + header.width).map { place in
          Int32(planes[place]) << 8 | Int32(planes[count + place])
        }, maximum: Float(bitPattern: sideNumber(index, UInt32.self)))
    case .q8, .coarse:
      try decodeRow(index)
      return QuantizedRow(codes: codes, doubt: sideNumber(index, UInt16.self))
    }
  }

  /// The number of a row that lies behind the pixel hashes.
  private func sideNumber<Value: FixedWidthInteger>(_ index: Int, _: Value.Type) -> Value {
    let count = header?.count ?? 0
    return Value(
      littleEndian: stored.loadUnaligned(
        fromByteOffset: count * 8 + index * MemoryLayout<Value>.size, as: Value.self))
  }

  private func openPlanes(
    _ number: Int, _ reader: inout ByteReader, _ header: RecordHeader
  ) throws(MalformedRecord) {
    let size = header.count * header.width
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
    if codes.count != header.width {
      codes = [Int32](repeating: 0, count: header.width)
      reference = codes
    }
    hasReference = rowEnds[0] > 0
    if hasReference {
      try decode(from: 0, to: rowEnds[0], reference: nil, into: &reference)
    }
  }

  private func decodeRow(_ index: Int) throws(MalformedRecord) {
    let (start, end) = (rowEnds[index], rowEnds[index + 1])
    if hasReference {
      var failure: MalformedRecord?
      reference.withUnsafeBufferPointer { reference in
        do throws(MalformedRecord) {
          try decode(from: start, to: end, reference: reference.baseAddress, into: &codes)
        } catch { failure = error }
      }
      if let failure { throw failure }
    } else {
      try decode(from: start, to: end, reference: nil, into: &codes)
    }
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
