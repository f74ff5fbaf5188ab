internal import FileIO
internal import Glibc

/// Entries in the order in which they came, each with a place from which it can be asked for.
///
/// A file of entries, little-endian: u32 length n, n bytes that begin with a record's key, XXH3-64
/// of those bytes. What follows the last whole entry, as a kill leaves it, is cut off when the file
/// is opened. Nothing is synced: what is lost is evaluated again. The file is opened for each
/// access, because a large cache has more of them than a process may hold open.
struct JournalFile {
  private static let frame = 4 + 8

  let path: String
  /// Where each place's entry begins; -1 while it has none.
  private var offsets: [Int]
  private var end = 0
  /// Places without an entry.
  private(set) var missing: Int

  var isEmpty: Bool { missing == offsets.count }

  /// Opens or makes the file.
  ///
  /// - Parameters:
  ///   - places: how many entries there will be.
  ///   - place: the place of a record, nil where there is none.
  init(_ path: String, places: Int, place: (RecordKey) -> Int?) throws(CacheError) {
    self.path = path
    offsets = [Int](repeating: -1, count: places)
    missing = places
    let file = try OpenFile(path, O_RDWR | O_CREAT)
    var bytes: [UInt8] = []
    while let length = try readEntry(file, at: end, into: &bytes) {
      let key = bytes.withUnsafeBytes { UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)) }
      guard let place = place(RecordKey(value: key)) else { break }
      occupy(place)
      end += length
    }
    guard ftruncate(file.descriptor, off_t(end)) == 0 else { throw FileSystem.error(path) }
  }

  func holds(_ place: Int) -> Bool { offsets[place] >= 0 }

  /// Adds the entry of a place that has none; `entry` begins with the record's key.
  mutating func append(_ entry: [UInt8], at place: Int) throws(CacheError) {
    precondition(!holds(place), "\(path): place \(place) is taken")
    var bytes: [UInt8] = []
    bytes.reserveCapacity(entry.count + Self.frame)
    bytes.append(littleEndian: UInt32(entry.count))
    bytes.append(contentsOf: entry)
    bytes.append(littleEndian: checksum(of: entry))
    let file = try OpenFile(path, O_WRONLY)
    let code = bytes.withUnsafeBytes { writeAll($0, to: file.descriptor, at: end) }
    guard code == 0 else {
      let failure = FileSystem.error(path, code)
      guard case .diskFull(let path, let free, _) = failure else { throw failure }
      throw .diskFull(path: path, free: free, recordsSafe: offsets.count - missing)
    }
    occupy(place)
    end += bytes.count
  }

  /// The entry of a place that has one.
  func entry(_ place: Int) throws(CacheError) -> [UInt8] {
    precondition(holds(place), "\(path): place \(place) is empty")
    var bytes: [UInt8] = []
    guard try readEntry(OpenFile(path, O_RDONLY), at: offsets[place], into: &bytes) != nil else {
      throw .corrupt(path: path, reason: "an entry is no longer what was written")
    }
    return bytes
  }

  private mutating func occupy(_ place: Int) {
    if offsets[place] < 0 { missing -= 1 }
    offsets[place] = end
  }

  /// Reads a whole and sound entry; gives its length in the file, nil where there is none.
  private func readEntry(
    _ file: borrowing OpenFile, at offset: Int, into bytes: inout [UInt8]
  ) throws(CacheError) -> Int? {
    guard let head = try file.read(4, at: offset) else { return nil }
    let length = Int(UInt32(littleEndianBytes: head))
    // More than a record's header, less than any record with what stands beside it.
    guard (RecordHeader.overhead...2 * RecordHeader.rawLimit + 4096).contains(length),
      let rest = try file.read(length + 8, at: offset + 4)
    else { return nil }
    bytes = Array(rest.prefix(length))
    let expected = UInt64(littleEndianBytes: rest.suffix(8))
    return checksum(of: bytes) == expected ? length + Self.frame : nil
  }
}

/// A file that is closed when it goes out of scope.
private struct OpenFile: ~Copyable {
  let descriptor: Int32
  private let path: String

  init(_ path: String, _ flags: Int32) throws(CacheError) {
    descriptor = open(path, flags | O_NOFOLLOW | O_CLOEXEC, 0o644)
    self.path = path
    guard descriptor >= 0 else { throw FileSystem.error(path) }
  }

  deinit { close(descriptor) }

  /// Exactly `count` bytes, or nil where the file ends before.
  borrowing func read(_ count: Int, at offset: Int) throws(CacheError) -> [UInt8]? {
    let (bytes, code) = readAll(count, at: offset, from: descriptor)
    guard code == 0 else { throw FileSystem.error(path, code) }
    return bytes.count == count ? bytes : nil
  }
}
