internal import Datasets
internal import FileIO

/// One view of a block before encoding.
struct LogitView: Equatable {
  var pixelHash: UInt64
  var row: QuantizedRow
}

/// The stored bytes of a block of views: pixel hashes, per-row numbers, codes.
///
/// n views of C classes, in round order, all numbers little-endian:
///
/// 1. u64 pixel hash × n;
/// 2. `fp16`: f32 max z × n; `q8`, `coarse`: half(1 − confidence) × n;
/// 3. low parts, n × C: `fp32` 3 bytes, `fp16` 1 byte, otherwise none;
/// 4. n + 1 variable-length numbers: the byte lengths of the reference row (0: there is none, all
///    zeros) and of the rows;
/// 5. those rows of high parts (`StepRows`).
///
/// `fp32` is split as the bits rotated left by one: the exponent is the high part, what follows is
/// close to random and stored as it is. `fp16` is split into high and low byte. Steps are high
/// parts as a whole.
enum LogitRecord {
  /// Bytes of a code's low part.
  static func lowBytes(_ codec: LogitCodec) -> Int {
    switch codec {
    case .fp32: 3
    case .fp16: 1
    case .q8, .coarse: 0
    }
  }

  /// Bytes of the number that stands beside each row.
  static func sideBytes(_ codec: LogitCodec) -> Int {
    switch codec {
    case .fp32: 0
    case .fp16: 4
    case .q8, .coarse: 2
    }
  }

  static func encode(_ views: [LogitView], codec: LogitCodec) -> [UInt8] {
    var bytes: [UInt8] = []
    for view in views { bytes.append(littleEndian: view.pixelHash) }
    for view in views {
      switch codec {
      case .fp32: break
      case .fp16: bytes.append(littleEndian: view.row.maximum.bitPattern)
      case .q8, .coarse: bytes.append(littleEndian: view.row.doubt)
      }
    }
    let lowBytes = lowBytes(codec)
    for view in views {
      for code in view.row.codes {
        let turned = turn(code, codec)
        for place in 0..<lowBytes {
          bytes.append(UInt8(truncatingIfNeeded: turned >> UInt32(8 * place)))
        }
      }
    }
    appendRows(views.map { $0.row.codes.map { high($0, codec) } }, to: &bytes)
    return bytes
  }

  /// `fp32`: sign last, so that the exponent fills the top byte.
  @inline(__always)
  private static func turn(_ code: Int32, _ codec: LogitCodec) -> UInt32 {
    let bits = UInt32(bitPattern: code)
    return codec == .fp32 ? bits << 1 | bits >> 31 : bits
  }

  private static func high(_ code: Int32, _ codec: LogitCodec) -> Int32 {
    switch codec {
    case .fp32: Int32(turn(code, codec) >> 24)
    case .fp16: code >> 8
    case .q8, .coarse: code
    }
  }

  /// Rows apart from their mean row where that is shorter in all, otherwise as they are.
  private static func appendRows(_ rows: [[Int32]], to bytes: inout [UInt8]) {
    let alone = [[]] + rows.map { StepRows.encode($0, reference: []) }
    let reference = StepRows.reference(rows)
    let apart =
      [StepRows.encode(reference, reference: [])]
      + rows.map { StepRows.encode($0, reference: reference) }
    let size = { (parts: [[UInt8]]) in parts.reduce(0) { $0 + $1.count } }
    let best = size(apart) < size(alone) ? apart : alone
    for row in best { bytes.append(variableLength: UInt32(row.count)) }
    for row in best { bytes.append(contentsOf: row) }
  }
}
