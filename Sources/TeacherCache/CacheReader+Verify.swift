internal import Datasets

/// What a verification looked at; it throws at the first fault.
package struct VerifyReport: Sendable {
  /// (image, view) logits and (image, view, tap) features.
  package var recordsChecked = 0
}

extension CacheReader {
  /// Checks the whole cache at `directory`: sizes and SHA-256 of the units before they are mapped,
  /// then every record's checksum, place and decoding, the counts, and the content hash.
  ///
  /// - Parameter progress: called with the number of records checked and that of all, after each unit.
  package static func verify(
    _ directory: String, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(CacheError) -> VerifyReport {
    let manifest = try CacheManifest.read(from: directory)
    try manifest.requireFiles(in: directory)
    let total = manifest.units.allRecords
    var report = VerifyReport()
    var seen = RecordOverlap()
    for entry in manifest.units {
      let path = directory + "/" + entry.path
      if let other = seen.add(entry) {
        throw .corrupt(path: path, reason: "it holds records that \(other) holds too")
      }
      guard try FileSystem.sha256(of: path + "/data.mdb") == entry.sha256 else {
        throw .corrupt(path: path, reason: "data.mdb has another SHA-256 than the manifest says")
      }
      let unit = try UnitReader(entry, in: directory, ordered: true)
      var walk = UnitWalk(unit, manifest.identity)
      let content = try walk.content()
      guard content.text == entry.content else {
        throw .corrupt(path: path, reason: "its content is not what the manifest says")
      }
      report.recordsChecked += entry.allRecords
      progress(report.recordsChecked, total)
    }
    return report
  }
}

/// Finds records that two units hold.
private struct RecordOverlap {
  private var earlier: [UnitEntry] = []

  /// The path of a unit seen before that shares a record with `entry`, or nil.
  mutating func add(_ entry: UnitEntry) -> String? {
    defer { earlier.append(entry) }
    return earlier.first { $0.overlaps(entry) }?.path
  }
}

extension UnitEntry {
  /// Whether both hold the same logits or features of the same image.
  func overlaps(_ other: UnitEntry) -> Bool {
    func share(_ left: ViewRanges, _ right: ViewRanges) -> Bool {
      left.kinds.contains { kind, rounds in
        right.kinds[kind].map { rounds.intersects($0) } ?? false
      }
    }
    guard images.intersects(other.images) else { return false }
    if share(logits, other.logits) { return true }
    return features.contains { feature in
      other.features.contains {
        $0.shape.tap == feature.shape.tap && share($0.views, feature.views)
      }
    }
  }
}

/// Goes through every record of a unit in order and holds it against what the manifest says.
struct UnitWalk {
  private let unit: UnitReader
  private let identity: CacheIdentity
  private let block = LogitBlock()
  private let features = FeatureDecoder()

  init(_ unit: UnitReader, _ identity: CacheIdentity) {
    self.unit = unit
    self.identity = identity
  }

  /// The sum of what is really there.
  mutating func content() throws(CacheError) -> ContentSum {
    var sum = ContentSum()
    try addLogits(to: &sum)
    for entry in unit.entry.features { try addFeatures(entry, to: &sum) }
    return sum
  }

  private func addLogits(to sum: inout ContentSum) throws(CacheError) {
    var expected = ExpectedKeys(unit.entry.images, unit.entry.logits)
    for segment in unit.logits?.segments ?? [] {
      for (key, bytes) in try records(segment) {
        do throws(MalformedRecord) {
          try block.open(bytes, key: key, codec: identity.logits, classes: identity.classes)
          guard let header = block.header else {
            preconditionFailure("an opened block has a header")
          }
          try checkLength(bytes)
          for index in 0..<header.count {
            let key = RecordKey(value: key.value + UInt64(index))
            guard expected.next() == key else {
              throw MalformedRecord(reason: "the manifest expects another record here")
            }
            let view = try block.view(index)
            sum.add(logits: view, key: key, label: header.label)
          }
        } catch { throw unit.corrupt(key, error) }
      }
    }
    try checkEnd(&expected, "logits")
  }

  private func addFeatures(
    _ entry: UnitEntry.Features, to sum: inout ContentSum
  ) throws(CacheError) {
    var expected = ExpectedKeys(unit.entry.images, entry.views)
    for segment in unit.features[entry.shape.tap]?.segments ?? [] {
      for (key, bytes) in try records(segment) {
        do throws(MalformedRecord) {
          guard expected.next() == key else {
            throw MalformedRecord(reason: "the manifest expects another record here")
          }
          let (label, parts) = try features.expanded(
            bytes, key: key, shape: entry.shape, precision: identity.featurePrecision)
          try checkLength(bytes)
          sum.add(features: parts.expanded, tap: entry.shape.tap, key: key, label: label)
        } catch { throw unit.corrupt(key, error) }
      }
    }
    try checkEnd(&expected, entry.shape.tap)
  }

  private func records(
    _ segment: UnsafeRawBufferPointer
  ) throws(CacheError) -> [(key: RecordKey, bytes: UnsafeRawBufferPointer)] {
    do { return try SegmentIndex.records(segment) } catch {
      throw .corrupt(path: unit.path, reason: error.reason)
    }
  }

  /// A record fills its place in the segment to the last byte.
  private func checkLength(_ bytes: UnsafeRawBufferPointer) throws(MalformedRecord) {
    let (_, stored) = try RecordHeader.open(bytes)
    guard stored.count + RecordHeader.overhead == bytes.count else {
      throw MalformedRecord(reason: "bytes follow the record")
    }
  }

  private func checkEnd(_ expected: inout ExpectedKeys, _ table: String) throws(CacheError) {
    if let key = expected.next() {
      throw unit.corrupt(key, MalformedRecord(reason: "it is missing from the table of \(table)"))
    }
  }
}

/// The keys that a unit's images × views make, in record order.
private struct ExpectedKeys {
  private let images: [Int]
  private let views: [View]
  private var image = 0
  private var view = 0

  init(_ images: IndexRanges, _ views: ViewRanges) {
    self.images = images.numbers
    self.views = views.views
  }

  mutating func next() -> RecordKey? {
    guard image < images.count, view < views.count else { return nil }
    defer {
      view += 1
      if view == views.count { (image, view) = (image + 1, 0) }
    }
    return RecordKey(image: images[image], view: views[view])
  }
}
