internal import CZstd
internal import FileIO

/// Numbers split into planes of bytes, each compressed for itself where that makes it smaller.
///
/// A plane of n bytes is stored as u32 length, then that many bytes: the plane itself where the
/// length is n, one zstd frame with its content size where it is less.
final class PlaneEncoder {
  // Sound: the context belongs to this object; one thread uses it at a time.
  private let context: OpaquePointer
  private static let level: Int32 = 3

  init() {
    guard let context = ZSTD_createCCtx() else { preconditionFailure("no memory for zstd") }
    self.context = context
  }

  deinit { ZSTD_freeCCtx(context) }

  func append(_ plane: [UInt8], to bytes: inout [UInt8]) {
    let bound = ZSTD_compressBound(plane.count)
    let packed = [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
      let size = plane.withUnsafeBytes {
        ZSTD_compressCCtx(
          context, buffer.baseAddress, bound, $0.baseAddress, $0.count, Self.level)
      }
      precondition(ZSTD_isError(size) == 0, "zstd failed on \(plane.count) bytes with room for all")
      count = size
    }
    let best = packed.count < plane.count ? packed : plane
    bytes.append(littleEndian: UInt32(best.count))
    bytes.append(contentsOf: best)
  }
}

/// Undoes `PlaneEncoder`.
final class PlaneDecoder {
  // Sound: as above.
  private let context: OpaquePointer

  init() {
    guard let context = ZSTD_createDCtx() else { preconditionFailure("no memory for zstd") }
    self.context = context
  }

  deinit { ZSTD_freeDCtx(context) }

  /// The next plane of `reader`, exactly `plane.count` bytes.
  func decode(
    _ reader: inout ByteReader, into plane: UnsafeMutableRawBufferPointer
  ) throws(MalformedRecord) {
    let length = Int(try reader.number(UInt32.self))
    guard length <= plane.count else {
      throw MalformedRecord(reason: "a plane of \(plane.count) bytes is stored in \(length)")
    }
    let stored = try reader.take(length)
    if length == plane.count {
      plane.copyMemory(from: stored)
      return
    }
    guard ZSTD_getFrameContentSize(stored.baseAddress, length) == UInt64(plane.count),
      ZSTD_findFrameCompressedSize(stored.baseAddress, length) == length
    else {
      throw MalformedRecord(reason: "a zstd frame declares other sizes than its plane has")
    }
    let size = ZSTD_decompressDCtx(
      context, plane.baseAddress, plane.count, stored.baseAddress, length)
    guard size == plane.count else {
      throw MalformedRecord(reason: "a zstd frame does not decode to its plane")
    }
  }
}
