package import Datasets

/// A cache that is filled in any order while it is read: what was added is read back as it will be
/// from the sealed unit, and a unit is sealed once all its views are there.
package final class GrowingCache: StoredOutputs, @unchecked Sendable {
  // Sound: one thread adds, and nobody reads meanwhile: a training step adds what is lacking of
  // its views and then reads all of them.
  package let identity: CacheIdentity
  /// What the cache will hold when it is full.
  package let contents: CacheContents
  private let writer: CacheWriter
  /// nil once the unit is sealed.
  private var journals: [UnitJournal?]
  private let journalOfImage: [Int: Int]
  private var reader: CacheReader
  /// Where `nextLacking` goes on.
  private var cursor = (unit: 0, image: 0)

  /// Plans as `CacheWriter.missing` does and finds what an interrupted run left.
  package init(
    _ writer: CacheWriter, images: [Int], views: [View], taps: [TapShape], featureViews: [View]
  ) throws(CacheError) {
    self.writer = writer
    identity = writer.identity
    let plan = try writer.missing(
      images: images, views: views, taps: taps, featureViews: featureViews)
    contents = CacheContents(writer.manifest, adding: plan, in: writer.directory)
    journals = []
    var numbers: [Int: Int] = [:]
    for (number, unit) in plan.enumerated() {
      journals.append(try writer.journal(unit))
      for image in unit.images { numbers[image] = number }
    }
    journalOfImage = numbers
    reader = try CacheReader.open(writer)
    for number in journals.indices { try sealIfComplete(number) }
  }

  /// Nothing: what was written a moment ago is in memory.
  package func prefetch(_ key: ViewKey, tap: String?) -> Bool { false }

  /// (image, view) pairs that the teacher has not been evaluated on.
  package var missing: Int { journals.reduce(0) { $0 + ($1?.missing ?? 0) } }

  /// What the sealed units hold.
  package var info: CacheInfo { reader.info }

  /// What is still wanted of a view; nil where there is nothing.
  package func lacking(_ key: ViewKey) -> ViewRequest? { journal(of: key)?.lacking(key) }

  /// The next views of which anything is lacking, in the order of the units: whole images until
  /// there are at least `limit` views, none when the cache is full. Each is given out once.
  package func nextLacking(limit: Int) -> [ViewKey] {
    var keys: [ViewKey] = []
    while cursor.unit < journals.count, keys.count < limit {
      guard let journal = journals[cursor.unit], cursor.image < journal.unit.images.count else {
        cursor = (cursor.unit + 1, 0)
        continue
      }
      let image = journal.unit.images[cursor.image]
      keys += journal.unit.requests.map { ViewKey(image: image, view: $0.view) }
        .filter { journal.lacking($0) != nil }
      cursor.image += 1
    }
    return keys
  }

  /// Codes and keeps what is lacking of a view; seals its unit when that was the last one.
  package func add(_ record: ViewRecord, image: Int, label: Int) throws(CacheError) {
    guard let number = journalOfImage[image], let journal = journals[number] else { return }
    try journal.add(record, image: image, label: label)
    try sealIfComplete(number)
  }

  private func sealIfComplete(_ number: Int) throws(CacheError) {
    guard let journal = journals[number], journal.isComplete else { return }
    try journal.seal(with: writer)
    journals[number] = nil
    reader = try CacheReader.open(writer, behind: reader)
  }

  private func journal(of key: ViewKey) -> UnitJournal? {
    journalOfImage[key.image].flatMap { journals[$0] }
  }

  package func holds(_ key: ViewKey, tap: String?) -> Bool { contents.holds(key, tap: tap) }

  package func readDetails(
    _ key: ViewKey, into logits: UnsafeMutablePointer<Float>
  ) throws(CacheError) -> (pixelHash: UInt64, label: Int, confidence: Float?) {
    if let journal = journal(of: key), journal.holds(key, tap: nil) {
      return try journal.read(key, into: logits)
    }
    return try reader.readDetails(key, into: logits)
  }

  package func readFeatures(
    _ key: ViewKey, tap: String, into values: UnsafeMutableBufferPointer<Float>
  ) throws(CacheError) -> UInt64 {
    if let journal = journal(of: key), journal.holds(key, tap: tap) {
      return try journal.readFeatures(key, tap: tap, into: values)
    }
    return try reader.readFeatures(key, tap: tap, into: values)
  }
}
