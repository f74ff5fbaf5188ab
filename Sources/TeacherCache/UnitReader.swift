internal import Datasets
internal import LMDB

/// One sealed unit, open for any number of threads.
final class UnitReader: Sendable {
  let entry: UnitEntry
  let path: String
  private let snapshot: Snapshot
  let logits: SegmentIndex?
  let features: [String: SegmentIndex]

  /// Opens a unit of the cache at `directory`; its size is compared before anything is mapped.
  init(_ entry: UnitEntry, in directory: String, ordered: Bool) throws(CacheError) {
    let path = directory + "/" + entry.path
    try Self.checkFile(entry, path)
    let snapshot: Snapshot
    let tables: [(tap: String?, index: SegmentIndex)]
    do {
      snapshot = try Snapshot(path, ordered: ordered)
      tables = try Self.tables(of: entry, snapshot)
    } catch let error as LMDBError {
      throw CacheError(error)
    } catch let error as MalformedRecord {
      throw .corrupt(path: path, reason: error.reason)
    } catch {
      throw .io(path: path, reason: "\(error)")
    }
    self.entry = entry
    self.path = path
    self.snapshot = snapshot
    logits = tables.first { $0.tap == nil }?.index
    features = Dictionary(
      tables.compactMap { table in table.tap.map { ($0, table.index) } },
      uniquingKeysWith: { first, _ in first })
  }

  /// Refuses links, missing files and files of another size than the manifest says.
  static func checkFile(_ entry: UnitEntry, _ path: String) throws(CacheError) {
    let data = path + "/data.mdb"
    for (place, kind) in [(path, FileSystem.Kind.directory), (data, .file)] {
      let found = try FileSystem.kind(of: place)
      if found == .absent {
        throw .lostUnit(path: String(path.dropLast(entry.path.count + 1)), entry)
      }
      guard found == kind else {
        throw .corrupt(path: place, reason: "found a \(found) where a \(kind) should be")
      }
    }
    let size = try FileSystem.size(of: data)
    guard size == entry.bytes else {
      throw .truncated(path: data, expected: entry.bytes, found: size)
    }
  }

  private static func tables(
    of entry: UnitEntry, _ snapshot: Snapshot
  ) throws -> [(tap: String?, index: SegmentIndex)] {
    var tables: [(tap: String?, index: SegmentIndex)] = []
    if entry.records > 0 {
      guard let entries = try snapshot.unsafeEntries(of: RecordTable.logits) else {
        throw MalformedRecord(reason: "there is no table of logits")
      }
      tables.append((nil, try SegmentIndex(entries)))
    }
    for features in entry.features {
      let name = RecordTable.features(features.shape.tap)
      guard let entries = try snapshot.unsafeEntries(of: name) else {
        throw MalformedRecord(reason: "there is no table \(name)")
      }
      tables.append((features.shape.tap, try SegmentIndex(entries)))
    }
    return tables
  }

  /// Bytes of the unit's file that logits take, whole pages.
  var logitBytes: Int {
    logits == nil ? 0 : entry.bytes - features.values.reduce(0) { $0 + $1.pageBytes }
  }

  /// The block of logits that `key` lies in: its key and bytes.
  @inline(__always)
  func block(
    _ key: RecordKey
  ) throws(CacheError) -> (key: RecordKey, bytes: UnsafeRawBufferPointer) {
    let found: (key: RecordKey, bytes: UnsafeRawBufferPointer)?
    do { found = try logits?.record(notAbove: key) } catch { throw corrupt(key, error) }
    guard let found, found.key.value >> 24 == key.value >> 24,
      key.round - found.key.round < RecordBlock.maximumViews
    else { throw corrupt(key, MalformedRecord(reason: "it is not where it should be")) }
    return found
  }

  /// The record of features of `tap` for `key`.
  func feature(
    _ key: RecordKey, tap: String
  ) throws(CacheError) -> (bytes: UnsafeRawBufferPointer, shape: TapShape) {
    guard let shape = entry.features.first(where: { $0.shape.tap == tap })?.shape,
      let index = features[tap]
    else { preconditionFailure("\(path) has no tap \(tap)") }
    let found: (key: RecordKey, bytes: UnsafeRawBufferPointer)?
    do { found = try index.record(notAbove: key) } catch { throw corrupt(key, error) }
    guard let found, found.key == key else {
      throw corrupt(key, MalformedRecord(reason: "it is not where it should be"))
    }
    return (found.bytes, shape)
  }

  func corrupt(_ key: RecordKey, _ error: MalformedRecord) -> CacheError {
    let view = ViewKind(rawValue: key.kindByte).map { "\(View(kind: $0, round: key.round))" }
    return .corrupt(path: path, reason: "image \(key.image), \(view ?? "no view"): \(error.reason)")
  }
}
