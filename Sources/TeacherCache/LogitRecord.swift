internal import Datasets

/// One view of a block before encoding.
struct LogitView: Equatable {
  var round: Int
  var pixelHash: UInt64
  var row: QuantizedRow
}

/// The stored bytes of a block of views: pixel hashes, per-row numbers, codes.
///
/// n views of C classes, in round order, all numbers little-endian:
///
/// * u64 pixel hash × n;
/// * `fp16`: f32 max z × n, then two planes of n·C bytes: high byte, low byte of each code;
/// * `fp32`: four planes of n·C bytes, top byte first, of the bits rotated left by one;
/// * `q8`, `coarse`: half(1 − confidence) × n; n + 1 variable-length numbers, the byte lengths of
///   the reference row (0: there is none, all zeros) and of the rows; those rows (`StepRows`).
enum LogitRecord {
  static func encode(
    _ views: [LogitView], codec: LogitCodec, planes: PlaneEncoder
  ) -> [UInt8] {
    var bytes: [UInt8] = []
    for view in views { bytes.append(littleEndian: view.pixelHash) }
    switch codec {
    case .fp32:
      for shift in [24, 16, 8, 0] as [UInt32] {
        planes.append(
          views.flatMap { view in
            view.row.codes.map { code in
              let bits = UInt32(bitPattern: code)
              return UInt8(truncatingIfNeeded: (bits << 1 | bits >> 31) >> shift)
            }
          }, to: &bytes)
      }
    case .fp16:
      for view in views { bytes.append(littleEndian: view.row.maximum.bitPattern) }
      for shift in [8, 0] as [Int32] {
        planes.append(
          views.flatMap { $0.row.codes.map { UInt8(truncatingIfNeeded: $0 >> shift) } }, to: &bytes)
      }
    case .q8, .coarse:
      for view in views { bytes.append(littleEndian: view.row.doubt) }
      appendRows(views.map(\.row), to: &bytes)
    }
    return bytes
  }

  /// Rows apart from their mean row where that is shorter in all, otherwise as they are.
  private static func appendRows(_ rows: [QuantizedRow], to bytes: inout [UInt8]) {
    let alone = [[]] + rows.map { StepRows.encode($0.codes, reference: []) }
    let reference = StepRows.reference(rows)
    let apart =
      [StepRows.encode(reference, reference: [])]
      + rows.map { StepRows.encode($0.codes, reference: reference) }
    let size = { (parts: [[UInt8]]) in parts.reduce(0) { $0 + $1.count } }
    let best = size(apart) < size(alone) ? apart : alone
    for row in best { bytes.append(variableLength: UInt32(row.count)) }
    for row in best { bytes.append(contentsOf: row) }
  }
}
