import CZlib
import Glibc

/// A file read from front to back, unpacked on the way where it is gzip and may be.
///
/// Never reads or unpacks more than it is asked for, so a small file that unpacks to a large one
/// costs nothing.
final class ByteStream {
  /// The file's path, for messages.
  let path: String
  /// Bytes of the file on disk.
  let fileSize: Int
  private let descriptor: Int32
  private var input = [UInt8](repeating: 0, count: 1 << 16)
  private var inputRange = 0..<0
  /// zlib keeps a pointer to its stream, so the stream must not move. Nil for a plain file.
  private var inflater: UnsafeMutablePointer<z_stream>?
  private var unpackedAll = false

  /// Opens a file.
  ///
  /// - Parameter gzip: whether gzip data is unpacked. What is gzip is told by its first bytes, not
  ///   by its name: browsers unpack downloads and leave the name alone.
  /// - Throws: `.missingFile`, `.permission`, or `.malformed` for what is no regular file.
  init(_ path: String, gzip: Bool) throws(DatasetError) {
    // Without O_NONBLOCK, opening a named pipe would wait for somebody to write into it.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw DatasetError(cannotRead: path, errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let code = errno
      close(descriptor)
      throw DatasetError(cannotRead: path, code)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw DatasetError(.malformed, "\(path) is not a file, but a folder or device")
    }
    self.path = path
    self.descriptor = descriptor
    fileSize = Int(status.st_size)
    try fill()
    if gzip && input[inputRange].starts(with: [0x1F, 0x8B]) { try startInflating() }
  }

  deinit {
    if let inflater {
      inflateEnd(inflater)
      inflater.deallocate()
    }
    close(descriptor)
  }

  /// Reads up to so many bytes into the beginning of an array.
  ///
  /// - Returns: the bytes read; fewer than `count` only at the end of the data.
  /// - Throws: `.malformed` for damaged gzip data, `.missingFile` for a disk that fails.
  func read(_ count: Int, into bytes: inout [UInt8]) throws(DatasetError) -> Int {
    precondition(count <= bytes.count, "\(count) bytes into an array of \(bytes.count)")
    var span = bytes.mutableSpan
    return try span.withUnsafeMutableBytes { buffer throws(DatasetError) in
      var filled = 0
      while filled < count {
        let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[filled..<count])
        let some = inflater == nil ? try copy(into: rest) : try inflateSome(into: rest)
        if some == 0 { break }
        filled += some
      }
      return filled
    }
  }

  /// Makes sure that nothing follows what was read.
  ///
  /// Throws `.malformed` otherwise; `expected` says what the file should hold.
  func expectEnd(_ expected: String) throws(DatasetError) {
    var byte: [UInt8] = [0]
    guard try read(1, into: &byte) == 0 else {
      throw DatasetError(.malformed, "\(path) goes on after its end; expected \(expected)")
    }
    // Bytes after the gzip data: some are in the buffer already, or more are in the file.
    guard inflater != nil else { return }
    var more = !inputRange.isEmpty
    if !more { more = try fill() }
    guard !more else {
      throw DatasetError(
        .malformed, "\(path) goes on after its gzip data; expected \(expected)")
    }
  }

  /// Fills the empty input buffer; false at the end of the file.
  @discardableResult
  private func fill() throws(DatasetError) -> Bool {
    while true {
      let count = input.withUnsafeMutableBytes {
        Glibc.read(descriptor, $0.baseAddress, $0.count)
      }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw DatasetError(cannotRead: path, errno) }
      inputRange = 0..<count
      return count > 0
    }
  }

  private func copy(into buffer: UnsafeMutableRawBufferPointer) throws(DatasetError) -> Int {
    if inputRange.isEmpty, try !fill() { return 0 }
    let count = min(buffer.count, inputRange.count)
    input.withUnsafeBytes { bytes in
      let start = inputRange.lowerBound
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]))
    }
    inputRange = inputRange.dropFirst(count)
    return count
  }
}

// MARK: - gzip

extension ByteStream {
  private func startInflating() throws(DatasetError) {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // 15 + 16: the largest window, and gzip headers and checksums only.
    let code = inflateInit2_(stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard code == Z_OK else {
      stream.deallocate()
      throw DatasetError(.malformed, "\(path): zlib cannot start (code \(code))")
    }
    inflater = stream
  }

  /// Unpacks at least one byte, or none at the end of the gzip data.
  private func inflateSome(
    into buffer: UnsafeMutableRawBufferPointer
  ) throws(DatasetError) -> Int {
    guard let inflater, !unpackedAll else { return 0 }
    let room = min(buffer.count, 1 << 30)
    while true {
      if inputRange.isEmpty, try !fill() {
        throw DatasetError(
          .malformed,
          "\(path) is cut off: its gzip data does not end in \(fileSize) bytes; "
            + "download it again")
      }
      let start = inputRange.lowerBound
      let (code, used, made) = input.withUnsafeMutableBufferPointer { bytes in
        inflater.pointee.next_in = bytes.baseAddress.map { $0 + start }
        inflater.pointee.avail_in = UInt32(inputRange.count)
        inflater.pointee.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
        inflater.pointee.avail_out = UInt32(room)
        let code = inflate(inflater, Z_NO_FLUSH)
        return (
          code, inputRange.count - Int(inflater.pointee.avail_in),
          room - Int(inflater.pointee.avail_out)
        )
      }
      inputRange = inputRange.dropFirst(used)
      unpackedAll = code == Z_STREAM_END
      guard code == Z_OK || unpackedAll else {
        throw DatasetError(
          .malformed, "\(path) has damaged gzip data (zlib code \(code)); download it again")
      }
      if made > 0 || unpackedAll { return made }
    }
  }
}

extension DatasetError {
  /// The error of a file that the system does not let us read.
  init(cannotRead path: String, _ code: Int32) {
    let reason = String(cString: strerror(code))
    switch code {
    case EACCES, EPERM:
      self.init(.permission, "\(path) may not be read: \(reason); ask its owner for access")
    case ENOENT, ENOTDIR:
      self.init(.missingFile, "\(path) does not exist")
    default:
      self.init(.missingFile, "\(path) cannot be read: \(reason)")
    }
  }
}
