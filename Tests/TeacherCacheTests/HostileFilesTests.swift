import Datasets
import Foundation
import TestSupport
import Testing

@testable import TeacherCache

@Suite struct HostileFilesTests {
  private func cache() throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    try FakeTeacher().dump(
      directory.path, .sample(.q8), images: Array(0..<50), views: weak(0..<8),
      taps: FakeTeacher.taps, featureViews: [.weak(0)])
    return directory
  }

  private func unitFile(_ directory: TemporaryDirectory) throws -> URL {
    let path = try CacheManifest.read(from: directory.path).units[0].path
    return URL(fileURLWithPath: directory.path).appendingPathComponent(path + "/data.mdb")
  }

  @Test func aUnitCutAtAnyPageOrByAByteIsTruncated() throws {
    let directory = try cache()
    let file = try unitFile(directory)
    let whole = try Data(contentsOf: file)
    let cuts =
      Array(stride(from: 0, to: whole.count, by: 4096)) + [whole.count - 1, whole.count + 1]
    for size in cuts {
      try (whole + [0]).prefix(size).write(to: file)
      let expected = CacheError.truncated(path: file.path, expected: whole.count, found: size)
      #expect(throws: expected) { try CacheReader.open(directory.path) }
      #expect(throws: expected) { try CacheReader.verify(directory.path) }
    }
    try whole.write(to: file)
    #expect(try CacheReader.verify(directory.path).recordsChecked == 50 * 8 + 50 * 2)
  }

  @Test func verifyFindsFlippedBitsAnywhereInAUnit() throws {
    let directory = try cache()
    let file = try unitFile(directory)
    let whole = try Data(contentsOf: file)
    var stream = SplitMix64(state: 3)
    for _ in 0..<100 {
      var damaged = whole
      damaged[Int(stream.next() % UInt64(whole.count))] ^= 1 << UInt8(stream.next() % 8)
      try damaged.write(to: file)
      #expect(throws: CacheError.self) { try CacheReader.verify(directory.path) }
    }
  }

  /// The list of a segment's records has no checksum, but each record says whose it is.
  @Test func aRecordInThePlaceOfAnotherIsNotTakenForIt() throws {
    let directory = try cache()
    let file = try unitFile(directory)
    var bytes = try Data(contentsOf: file)
    let keys = (20..<23).map { Data(RecordKey(image: $0, view: .weak(0)).bytes) }
    // Three lines of such a list: key, u32 offset; the third gets the offset of the first.
    var places = 0
    var from = bytes.startIndex
    while let first = bytes.range(of: keys[0], in: from..<bytes.endIndex) {
      from = first.upperBound
      let third = first.lowerBound + 24
      guard third + 12 <= bytes.endIndex, bytes[third..<third + 8] == keys[2] else { continue }
      bytes.replaceSubrange(
        third + 8..<third + 12, with: bytes[first.upperBound..<first.upperBound + 4])
      places += 1
    }
    try #require(places > 0)
    try bytes.write(to: file)
    let reader = try CacheReader.open(directory.path)
    _ = try reader.read(image: 20, view: .weak(0))
    #expect {
      _ = try reader.read(image: 22, view: .weak(0))
    } throws: { error in
      if case CacheError.corrupt = error { true } else { false }
    }
  }

  @Test func hostileManifestsAreRefused() throws {
    let directory = try cache()
    let file = URL(fileURLWithPath: directory.path + "/manifest.json")
    let written = try String(contentsOf: file, encoding: .utf8)
    // Without its checksum, which would find every change by itself.
    let good = written.split(separator: "\n").filter { !$0.contains("\"checksum\"") }
      .joined(separator: "\n")
    #expect(good.count < written.count - 64)
    try good.write(to: file, atomically: false, encoding: .utf8)
    #expect(try CacheReader.open(directory.path).info.records == 400)
    let path = try CacheManifest.read(from: directory.path).units[0].path
    let changes: [(String, String)] = [
      (path, "../outside"), (path, "/etc/passwd"), (path, "units/.."), (path, "units/a/b"),
      (path, "units/"), (path, "units/.tmp-1"), (path, "units//x"), (path, "units/a\\u0000b"),
      ("\"version\" : 1", "\"version\" : 2"),
      ("\"lmdbFormat\" : \"0.9\"", "\"lmdbFormat\" : \"1.0\""),
      ("\"format\" : \"teacher-cache\"", "\"format\" : \"other\""),
      ("\"images\" : \"0-49\"", "\"images\" : \"0-99999999999\""),
      ("\"images\" : \"0-49\"", "\"images\" : \"49-0\""),
      ("\"images\" : \"0-49\"", "\"images\" : \"0-48\""),
      ("\"images\" : \"0-49\"", "\"images\" : \"-5\""), ("\"records\" : 400", "\"records\" : 401"),
      ("\"records\" : 400", "\"records\" : -1"), ("\"bytes\" : ", "\"bytes\" : -"),
      ("\"classes\" : 10", "\"classes\" : 0"), ("\"classes\" : 10", "\"classes\" : -10"),
      ("\"classes\" : 10", "\"classes\" : 99999999"), ("\"viewSeed\" : 7", "\"viewSeed\" : 8"),
      ("\"channels\" : 3", "\"channels\" : 65536"), ("\"tap\" : \"stage1\"", "\"tap\" : \"a/b\""),
      ("\"weak\" : \"0-7\"", "\"weak\" : \"0-7,7\""), ("\"weak\" : \"0-7\"", "\"blue\" : \"0-7\""),
      ("{", ""), ("\"units\"", "\"unit\""),
    ]
    for (old, new) in changes {
      let changed = good.replacingOccurrences(of: old, with: new)
      #expect(changed != good, "\(old) is not in the manifest")
      try changed.write(to: file, atomically: false, encoding: .utf8)
      #expect(throws: CacheError.self, "\(old) → \(new)") { try CacheReader.open(directory.path) }
    }
    for digit in ["\"logitError\" : 0.", "\"kernelLevel\" : \"test"] {
      try written.replacingOccurrences(of: digit, with: digit + "1")
        .write(to: file, atomically: false, encoding: .utf8)
      let error = #expect(throws: CacheError.self) { try CacheReader.open(directory.path) }
      #expect(error?.description.contains("checksum") == true)
    }
    let deep = String(repeating: "[", count: 100_000)
    try deep.write(to: file, atomically: false, encoding: .utf8)
    #expect(throws: CacheError.self) { try CacheReader.open(directory.path) }
    try Data().write(to: file)
    #expect(throws: CacheError.self) { try CacheReader.open(directory.path) }
    try FileManager.default.removeItem(at: file)
    #expect(throws: CacheError.noManifest(path: directory.path, units: 1)) {
      try CacheReader.open(directory.path)
    }
    try FileManager.default.createSymbolicLink(
      atPath: file.path, withDestinationPath: "/etc/passwd")
    #expect(throws: CacheError.noManifest(path: directory.path, units: 1)) {
      try CacheReader.open(directory.path)
    }
  }

  /// Counts whose sum over many units no number holds, and two shapes of one tap.
  @Test func impossibleCountsAndShapesAreRefused() throws {
    let directory = try cache()
    let good = try CacheManifest.read(from: directory.path)
    let unit = good.units[0]
    let text = try #require(
      String(data: JSONEncoder().encode(unit), encoding: .utf8))
    func entry(_ changes: [String: Any]) throws -> UnitEntry {
      var object = try #require(
        JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      object.merge(changes) { _, new in new }
      return try JSONDecoder().decode(
        UnitEntry.self, from: JSONSerialization.data(withJSONObject: object))
    }
    func tap(_ name: String, channels: Int = 1, rounds: String = "0") -> [String: Any] {
      [
        "shape": ["tap": name, "height": 1, "width": 1, "channels": channels],
        "views": ["weak": rounds],
      ]
    }
    let images = unit.images.count
    let first = try #require(unit.features.first).shape
    let cases: [(reason: String, units: [UnitEntry])] = [
      ("no LMDB file", [try entry(["bytes": (1 << 45) + 4096])]),
      (
        "records and",
        [try entry(["logits": ["weak": "0-999999"], "records": images * 1_000_000])]
      ),
      (
        "features for",
        [
          try entry([
            "features": [tap("t", rounds: "0-999999")], "featureRecords": images * 1_000_000,
          ])
        ]
      ),
      (
        "63 taps",
        [
          try entry([
            "features": (0..<63).map { tap("t\($0)") }, "featureRecords": images * 63,
          ])
        ]
      ),
      (
        "another shape",
        [
          unit,
          try entry([
            "path": "units/other", "featureRecords": images,
            "features": [tap(first.tap, channels: first.channels + 1)],
          ]),
        ]
      ),
    ]
    for (reason, units) in cases {
      var manifest = good
      manifest.units = units
      try manifest.write(to: directory.path)
      let error = #expect(throws: CacheError.self) { try CacheReader.open(directory.path) }
      #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }
  }

  @Test func linksInPlaceOfUnitsAreRefused() throws {
    let directory = try cache()
    let file = try unitFile(directory)
    let moved = directory.path + "/elsewhere"
    try FileManager.default.moveItem(atPath: file.path, toPath: moved)
    #expect(throws: CacheError.self) { try CacheReader.open(directory.path) }
    try FileManager.default.createSymbolicLink(atPath: file.path, withDestinationPath: moved)
    let error = #expect(throws: CacheError.self) { try CacheReader.open(directory.path) }
    guard case .corrupt = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func readingMakesNoFile() throws {
    let directory = try cache()
    let list = { try FileManager.default.subpathsOfDirectory(atPath: directory.path).sorted() }
    let before = try list()
    let reader = try CacheReader.open(directory.path)
    var logits = [Float](repeating: 0, count: 10)
    try reader.read(ViewKey(image: 3, view: .weak(2)), into: &logits)
    #expect(try list() == before)
    #expect(before.contains { $0.hasSuffix("lock.mdb") } == false)
  }

  /// What cannot be looked at is not absent: a writer would take it off its list.
  @Test func onlyWhatIsNotThereIsAbsent() throws {
    let directory = try TemporaryDirectory()
    #expect(try FileSystem.kind(of: directory.path + "/nothing/below") == .absent)
    #expect(throws: CacheError.self) {
      try FileSystem.kind(of: directory.path + "/" + String(repeating: "x", count: 300))
    }
  }

  @Test(.enabled(if: mayMount, "needs the right to mount a cache read-only"))
  func aReadOnlyMountIsRead() throws {
    let directory = try cache()
    let mounted = try TemporaryDirectory()
    try #require(succeeds("mount", "--bind", directory.path, mounted.path))
    defer { succeeds("umount", mounted.path) }
    try #require(succeeds("mount", "-o", "remount,bind,ro", mounted.path))
    let reader = try CacheReader.open(mounted.path)
    var logits = [Float](repeating: 0, count: 10)
    let hash = try reader.read(ViewKey(image: 3, view: .weak(2)), into: &logits)
    #expect(hash == FakeTeacher().pixelHash(3, .weak(2)))
    let error = #expect(throws: CacheError.self) {
      _ = try CacheWriter.open(mounted.path, identity: .sample(.q8), kernelLevel: "")
    }
    guard case .permission = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }
}
