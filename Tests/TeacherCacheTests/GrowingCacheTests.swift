import Datasets
import Foundation
import TestSupport
import Testing

@testable import TeacherCache

/// Caches that are filled in the order of a training run.
@Suite struct GrowingCacheTests {
  private let teacher = FakeTeacher()
  private let images = Array(0..<30) + [5000, 5001]
  private let views = weak(0..<3) + [.strong(0), .strong(1)]

  private func open(
    _ directory: String, _ identity: CacheIdentity, views: [View]? = nil
  ) throws -> (cache: GrowingCache, writer: CacheWriter) {
    let writer = try CacheWriter(directory, identity, "test", mapBytes: 64 << 10)
    let cache = try GrowingCache(
      writer, images: images, views: views ?? self.views, taps: FakeTeacher.taps,
      featureViews: [.weak(0)])
    return (cache, writer)
  }

  private func shuffledKeys() -> [ViewKey] {
    var stream = SplitMix64(state: 11)
    return images.flatMap { image in views.map { ViewKey(image: image, view: $0) } }
      .shuffled(using: &stream)
  }

  private func add(_ key: ViewKey, to cache: GrowingCache) throws {
    guard let wanted = cache.lacking(key) else { return }
    try cache.add(
      teacher.record(key.image, wanted), image: key.image, label: teacher.label(key.image))
  }

  private func dumped(_ identity: CacheIdentity) throws -> CacheInfo {
    let directory = try TemporaryDirectory()
    try teacher.dump(
      directory.path, identity, images: images, views: views, taps: FakeTeacher.taps,
      featureViews: [.weak(0)])
    return try CacheReader.open(directory.path).info
  }

  @Test(arguments: LogitCodec.allCases)
  func whatWasAddedIsReadAsFromTheSealedUnitAndTheWholeIsADump(codec: LogitCodec) throws {
    let directory = try TemporaryDirectory()
    let identity = CacheIdentity.sample(codec, features: .fp16)
    let (cache, writer) = try open(directory.path, identity)
    #expect(cache.missing == 32 * 5)
    var heard: [ViewKey: [Float]] = [:]
    var felt: [ViewKey: [Float]] = [:]
    let shape = FakeTeacher.taps[1]
    var logits = [Float](repeating: 0, count: 10)
    var features = [Float](repeating: 0, count: shape.count)
    func read(_ source: some StoredOutputs, _ key: ViewKey) throws -> Float? {
      let details = try source.readDetails(key, into: &logits)
      #expect(details.pixelHash == teacher.pixelHash(key.image, key.view))
      #expect(details.label == teacher.label(key.image))
      if key.view == .weak(0) {
        let hash = try features.withUnsafeMutableBufferPointer {
          try source.readFeatures(key, tap: shape.tap, into: $0)
        }
        #expect(hash == details.pixelHash)
      }
      return details.confidence
    }
    var confidence: [ViewKey: Float] = [:]
    for key in shuffledKeys() {
      #expect(cache.lacking(key) != nil)
      try add(key, to: cache)
      #expect(cache.lacking(key) == nil)
      confidence[key] = try read(cache, key)
      heard[key] = logits
      if key.view == .weak(0) { felt[key] = features }
    }
    #expect(cache.missing == 0)
    writer.close()
    let reader = try CacheReader.open(directory.path)
    for key in heard.keys {
      #expect(try read(reader, key) == confidence[key])
      #expect(logits == heard[key])
      if key.view == .weak(0) { #expect(features == felt[key]) }
    }
    let (info, expected) = (reader.info, try dumped(identity))
    #expect(info.contentHash == expected.contentHash)
    #expect(info.codingError == expected.codingError)
    #expect(info.largestLogitError == expected.largestLogitError)
    #expect(try CacheReader.verify(directory.path).recordsChecked == 32 * 5 + 32 * 2)
    let left = FileSystem.names(in: directory.path + "/units").filter { $0.hasPrefix(".") }
    #expect(left.isEmpty)
  }

  @Test func aUnitIsSealedAsSoonAsAllItsViewsAreThere() throws {
    let directory = try TemporaryDirectory()
    let (cache, writer) = try open(directory.path, .sample(.q8))
    for image in [5001, 5000] {
      for view in views { try add(ViewKey(image: image, view: view), to: cache) }
      // Anybody may read the sealed unit while the other one is still open.
      let sealed = try CacheReader.open(directory.path)
      #expect(sealed.images == (image == 5000 ? [5000, 5001] : []))
    }
    #expect(cache.missing == 30 * 5)
    #expect(cache.contents.images == images)
    withExtendedLifetime(writer) {}
  }

  @Test func aKilledFillLosesNothingThatWasWrittenWhole() throws {
    let directory = try TemporaryDirectory()
    let identity = CacheIdentity.sample(.q8, features: .q8)
    let keys = shuffledKeys()
    do {
      let (cache, writer) = try open(directory.path, identity)
      for key in keys.prefix(100) { try add(key, to: cache) }
      #expect(cache.missing == 60)
      writer.close()
    }
    // As a kill in the middle of a write leaves it: the last entry has no end.
    let journal = try #require(
      FileSystem.names(in: directory.path + "/units").first { $0.hasPrefix(".seen-00000000") })
    let file = directory.path + "/units/\(journal)/logits"
    let size = try FileSystem.size(of: file)
    #expect(truncate(file, off_t(size - 5)) == 0)
    let (cache, writer) = try open(directory.path, identity)
    #expect(cache.missing == 61)
    for key in keys { try add(key, to: cache) }
    writer.close()
    #expect(try CacheReader.open(directory.path).contentHash == dumped(identity).contentHash)
  }

  @Test func aFillThatWentOnAtAnotherKernelLevelNamesBoth() throws {
    let directory = try TemporaryDirectory()
    let identity = CacheIdentity.sample(.q8, features: .q8)
    let keys = shuffledKeys()
    for (level, part) in [("avx2", keys.prefix(100)), ("baseline", keys[...])] {
      let writer = try CacheWriter.open(directory.path, identity: identity, kernelLevel: level)
      let cache = try GrowingCache(
        writer, images: images, views: views, taps: FakeTeacher.taps, featureViews: [.weak(0)])
      for key in part { try add(key, to: cache) }
      writer.close()
    }
    #expect(try CacheReader.open(directory.path).info.kernelLevels == ["avx2", "baseline"])
  }

  /// Another machine's numbers may differ in the last bit; the student has seen those of the journal.
  @Test(arguments: [12, 32]) func whatAStudentSawIsStoredAlsoWhereADumpHadBegun(dumped: Int) throws
  {
    let directory = try TemporaryDirectory()
    let identity = CacheIdentity.sample(.fp32)
    do {
      // Half a unit by a dump, or one that is sealed but not listed yet.
      let writer = try CacheWriter(directory.path, identity, "other", mapBytes: 64 << 10)
      let work = try writer.missing(
        images: images, views: views, taps: FakeTeacher.taps, featureViews: [.weak(0)])
      let unit = try writer.begin(work[0])
      for image in unit.remainingImages.prefix(dumped) {
        let records = work[0].requests.map { request in
          let record = teacher.record(image, request)
          return ViewRecord(
            view: record.view, pixelHash: record.pixelHash,
            logits: record.logits.map { $0.map { $0 + 1 } }, features: record.features)
        }
        try unit.append(image: image, label: teacher.label(image), views: records)
      }
      if unit.remainingImages.isEmpty { try unit.seal() } else { try unit.commit() }
      writer.close()
    }
    if dumped == 32 { try CacheManifest(identity: identity).write(to: directory.path) }
    let (cache, writer) = try open(directory.path, identity)
    var heard: [ViewKey: [Float]] = [:]
    var logits = [Float](repeating: 0, count: 10)
    for key in shuffledKeys() {
      try add(key, to: cache)
      _ = try cache.readDetails(key, into: &logits)
      heard[key] = logits
    }
    writer.close()
    let reader = try CacheReader.open(directory.path)
    for (key, expected) in heard {
      _ = try reader.readDetails(key, into: &logits)
      #expect(logits == expected, "\(key)")
    }
    #expect(reader.info.kernelLevels == ["test"])
  }

  @Test func viewsOfAnotherTeacherAreNotTakenOver() throws {
    let directory = try TemporaryDirectory()
    do {
      let (cache, writer) = try open(directory.path, .sample(.q8))
      for key in shuffledKeys().prefix(100) { try add(key, to: cache) }
      writer.close()
    }
    var other = CacheIdentity.sample(.q8)
    other.teacherWeights = String(repeating: "b", count: 64)
    try CacheManifest(identity: other).write(to: directory.path)
    let (cache, _) = try open(directory.path, other)
    #expect(cache.missing == 32 * 5)
  }

  @Test func aDamagedEntryIsNoticedAndEvaluatedAgain() throws {
    let directory = try TemporaryDirectory()
    let key = ViewKey(image: 3, view: .weak(1))
    var logits = [Float](repeating: 0, count: 10)
    do {
      let (cache, writer) = try open(directory.path, .sample(.q8))
      try add(key, to: cache)
      let journal = try #require(
        FileSystem.names(in: directory.path + "/units").first { $0.hasPrefix(".seen-00000000") })
      let file = URL(fileURLWithPath: directory.path + "/units/\(journal)/logits")
      var bytes = try Data(contentsOf: file)
      bytes[bytes.count / 2] ^= 1
      try bytes.write(to: file)
      let error = #expect(throws: CacheError.self) { try cache.readDetails(key, into: &logits) }
      #expect(error?.description.contains("no longer what was written") == true)
      writer.close()
    }
    let (cache, _) = try open(directory.path, .sample(.q8))
    #expect(cache.lacking(key) != nil)
  }

  @Test func whatTheCacheHoldsIsReadAndOnlyTheRestIsWanted() throws {
    let directory = try TemporaryDirectory()
    let identity = CacheIdentity.sample(.q8)
    try teacher.dump(directory.path, identity, images: images, views: weak(0..<2))
    let (cache, writer) = try open(directory.path, identity)
    let (old, new) = (ViewKey(image: 7, view: .weak(1)), ViewKey(image: 7, view: .weak(2)))
    #expect(cache.lacking(old) == nil)
    // The logits are there, the features are not.
    #expect(
      cache.lacking(ViewKey(image: 7, view: .weak(0)))
        == ViewRequest(
          view: .weak(0), needsLogits: false, taps: FakeTeacher.taps.map(\.tap)))
    var logits = [Float](repeating: 0, count: 10)
    let hash = try cache.readDetails(old, into: &logits).pixelHash
    #expect(hash == teacher.pixelHash(7, .weak(1)))
    #expect(cache.holds(new, tap: nil))
    var seen = 0
    while true {
      let keys = cache.nextLacking(limit: 9)
      if keys.isEmpty { break }
      for key in keys { try add(key, to: cache) }
      seen += keys.count
    }
    #expect(seen == 32 * 4)
    writer.close()
    #expect(try CacheReader.open(directory.path).contentHash == dumped(identity).contentHash)
  }

  @Test func anotherRequestForgetsWhatNoUnitNeedsAnyMore() throws {
    let directory = try TemporaryDirectory()
    do {
      let (cache, writer) = try open(directory.path, .sample(.q8))
      try add(ViewKey(image: 3, view: .weak(1)), to: cache)
      writer.close()
    }
    let (_, writer) = try open(directory.path, .sample(.q8), views: weak(0..<1))
    let journals = FileSystem.names(in: directory.path + "/units")
    #expect(journals.count == 2)
    writer.close()
    // A dump of the same work seals the units and leaves nothing behind.
    try teacher.dump(
      directory.path, .sample(.q8), images: images, views: weak(0..<1), taps: FakeTeacher.taps,
      featureViews: [.weak(0)])
    let left = FileSystem.names(in: directory.path + "/units")
    #expect(left.allSatisfy { !$0.hasPrefix(".") })
  }

  @Test(.enabled(if: mayMount, "needs the right to mount a small tmpfs"))
  func aFullDiskIsNamedAndTheFillGoesOnWhenThereIsSpace() throws {
    let directory = try TemporaryDirectory()
    try #require(succeeds("mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", directory.path))
    defer { succeeds("umount", directory.path) }
    let many = FakeTeacher(classes: 1000)
    let identity = CacheIdentity.sample(.fp32, classes: 1000)
    func fill() throws -> (before: Int, kept: Int) {
      let writer = try CacheWriter(directory.path, identity, "", mapBytes: 64 << 10)
      defer { writer.close() }
      let cache = try GrowingCache(
        writer, images: Array(0..<100), views: weak(0..<2), taps: [], featureViews: [])
      let before = cache.missing
      do {
        for key in cache.nextLacking(limit: .max) {
          let wanted = try #require(cache.lacking(key))
          try cache.add(many.record(key.image, wanted), image: key.image, label: 1)
        }
      } catch CacheError.diskFull(_, _, let kept) { return (before, kept) }
      return (before, 200)
    }
    let first = try fill()
    #expect(first.before == 200)
    #expect((50..<150).contains(first.kept))
    try #require(succeeds("mount", "-o", "remount,size=16m", directory.path))
    let second = try fill()
    #expect(second.before == 200 - first.kept)
    #expect(second.kept == 200)
    #expect(try CacheReader.verify(directory.path).recordsChecked == 200)
  }

  /// Logits of some views and features of others: as many evaluations as views, not as records of
  /// either.
  @Test func whatIsMissingIsCountedByView() throws {
    let directory = try TemporaryDirectory()
    let identity = CacheIdentity.sample(.q8)
    try teacher.dump(directory.path, identity, images: images, views: [.plain])
    let writer = try CacheWriter.open(directory.path, identity: identity, kernelLevel: "")
    let cache = try GrowingCache(
      writer, images: images, views: [.plain] + weak(0..<2), taps: FakeTeacher.taps,
      featureViews: [.plain])
    // Features of the plain view, logits of two others.
    #expect(cache.missing == images.count * 3)
    for (number, view) in ([View.plain] + weak(0..<2)).enumerated() {
      try add(ViewKey(image: 7, view: view), to: cache)
      #expect(cache.missing == images.count * 3 - number - 1)
    }
    writer.close()
  }

  @Test func aLostUnitIsFilledAgain() throws {
    let directory = try TemporaryDirectory()
    let identity = CacheIdentity.sample(.q8)
    try teacher.dump(directory.path, identity, images: images, views: weak(0..<1))
    let unit = try #require(CacheManifest.read(from: directory.path).units.first)
    try FileManager.default.removeItem(atPath: "\(directory.path)/\(unit.path)")
    let (cache, writer) = try open(directory.path, identity)
    #expect(cache.lacking(ViewKey(image: 7, view: .weak(0)))?.needsLogits == true)
    writer.close()
  }
}
