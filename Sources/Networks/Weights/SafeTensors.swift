package import FileIO

/// The named arrays and the metadata of a safetensors file.
///
/// Reading trusts nothing: see `SafeTensorsHeader`. Writing is deterministic and atomic: equal
/// contents give equal bytes, and a file is whole or absent.
package struct SafeTensors: Sendable, Equatable {
  package var metadata: [String: String]
  package var tensors: [String: StateTensor]

  package init(metadata: [String: String] = [:], tensors: [String: StateTensor] = [:]) {
    self.metadata = metadata
    self.tensors = tensors
  }

  /// Reads the file at `path`: what its header says is checked before any array is read.
  package static func read(_ path: String) throws(NetworkError) -> SafeTensors {
    let file = try WeightFile(path)
    return try SafeTensors(path, count: file.count) { range throws(NetworkError) in
      try file.read(range)
    }
  }

  /// Reads a whole file's bytes; `path` appears in error messages.
  package init(parsing bytes: [UInt8], path: String) throws(NetworkError) {
    try self.init(path, count: bytes.count) { range throws(NetworkError) in Array(bytes[range]) }
  }

  /// - Parameters:
  ///   - count: bytes of the whole file.
  ///   - read: gives a range of them.
  private init(
    _ path: String, count: Int, read: (Range<Int>) throws(NetworkError) -> [UInt8]
  ) throws(NetworkError) {
    let start = 8 + (try Self.headerCount(read(0..<min(8, count)), fileCount: count, path: path))
    let bytes = try read(8..<start)
    let header: SafeTensorsHeader
    do { header = try SafeTensorsHeader(bytes, dataCount: count - start) } catch {
      throw NetworkError(
        .malformed,
        "\(path): not a sound safetensors file: \(error.reason) (header byte \(error.offset)); "
          + "get or convert it again (tools/convert-weights)")
    }
    metadata = header.metadata
    tensors = [:]
    for (name, entry) in header.entries {
      let range = start + entry.range.lowerBound..<start + entry.range.upperBound
      tensors[name] = StateTensor(
        dtype: entry.dtype, shape: entry.shape, bytes: try read(range))
    }
  }

  /// Writes the file at `path` in one step: temporary file, fsync, rename, fsync of the folder.
  package func write(to path: String) throws(FileError) {
    try AtomicFile.write(serialized(), to: path)
  }

  /// The file's bytes: arrays by falling element size, then by name, as the reference library
  /// orders them; metadata by key; the header padded with spaces to a multiple of 8.
  package func serialized() -> [UInt8] {
    let inOrder = tensors.sorted {
      $0.value.dtype.order != $1.value.dtype.order
        ? $0.value.dtype.order < $1.value.dtype.order : Self.precedes($0.key, $1.key)
    }
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { Self.precedes($0.key, $1.key) }
        .map { "\(Self.quoted($0.key)):\(Self.quoted($0.value))" }
      members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    var end = 0
    for (name, tensor) in inOrder {
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      members.append(
        "\(Self.quoted(name)):{\"dtype\":\"\(tensor.dtype.rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(end),\(end + tensor.bytes.count)]}")
      end += tensor.bytes.count
    }
    var header = Array("{\(members.joined(separator: ","))}".utf8)
    header.append(contentsOf: repeatElement(0x20, count: (8 - header.count % 8) % 8))
    var bytes = [UInt8](littleEndian: UInt64(header.count))
    bytes.reserveCapacity(8 + header.count + end)
    bytes.append(contentsOf: header)
    for (_, tensor) in inOrder { bytes.append(contentsOf: tensor.bytes) }
    return bytes
  }

  /// The order of names in files and hashes: by UTF-8 bytes, the same in every locale and version.
  static func precedes(_ left: String, _ right: String) -> Bool {
    left.utf8.lexicographicallyPrecedes(right.utf8)
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\u{8}": result += "\\b"
      case "\u{c}": result += "\\f"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\0"..<" ":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// The header's length, checked against the limits and the size of the file.
  ///
  /// - Parameter bytes: the first 8.
  private static func headerCount(
    _ bytes: [UInt8], fileCount: Int, path: String
  ) throws(NetworkError) -> Int {
    guard bytes.count >= 8 else {
      throw NetworkError(
        .malformed, "\(path): \(bytes.count) bytes are too few for a safetensors file; get it again"
      )
    }
    let count = bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    guard count <= UInt64(SafeTensorsHeader.limit) else {
      throw NetworkError(
        .malformed,
        "\(path): not a safetensors file: its first 8 bytes announce a header of \(count) bytes, "
          + "at most \(SafeTensorsHeader.limit) are read; a .pth file is converted by "
          + "tools/convert-weights")
    }
    guard Int(count) <= fileCount - 8 else {
      throw NetworkError(
        .malformed,
        "\(path): cut off: the header should have \(count) bytes, \(fileCount - 8) are there; "
          + "get it again")
    }
    return Int(count)
  }
}
