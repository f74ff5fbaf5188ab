import Foundation
import LMDB
import TestSupport
import Testing

@Suite struct EnvironmentTests {
  private let mode = Environment.Mode.filling(mapBytes: 1 << 20)

  @Test func aReturningClosureCommitsAndAThrowingOneRollsBack() throws {
    let directory = try TemporaryDirectory()
    let environment = try Environment(directory.path, mode: mode)
    try environment.write { transaction throws(LMDBError) in
      try transaction.append([1], [10, 11], to: try transaction.table("a"))
    }
    #expect(throws: LMDBError.self) {
      try environment.write { transaction throws(LMDBError) in
        let table = try transaction.table("a")
        try transaction.append([2], [20], to: table)
        throw LMDBError(kind: .other, path: "the body gives up")
      }
    }
    let (count, value, absent) = try environment.read { transaction throws(LMDBError) in
      guard let table = try transaction.table("a") else { return (0, [UInt8]?.none, [UInt8]?.none) }
      return (
        try transaction.count(of: table), try transaction.copy(of: [1], in: table),
        try transaction.copy(of: [2], in: table)
      )
    }
    #expect(count == 1)
    #expect(value == [10, 11])
    #expect(absent == nil)
  }

  @Test func refusesToAppendBeforeTheLastKey() throws {
    let directory = try TemporaryDirectory()
    let environment = try Environment(directory.path, mode: mode)
    let error = #expect(throws: LMDBError.self) {
      try environment.write { transaction throws(LMDBError) in
        let table = try transaction.table("a")
        try transaction.append([2], [], to: table)
        try transaction.append([1], [], to: table)
      }
    }
    #expect(error?.kind == .keyExists)
  }

  @Test func aFullMapLosesNothingAndGrows() throws {
    let directory = try TemporaryDirectory()
    let environment = try Environment(directory.path, mode: .filling(mapBytes: 128 << 10))
    func add(_ key: UInt8, bytes: Int) throws(LMDBError) {
      try environment.write { transaction throws(LMDBError) in
        try transaction.append(
          [key], [UInt8](repeating: key, count: bytes), to: try transaction.table("a"))
      }
    }
    try add(1, bytes: 1000)
    let error = #expect(throws: LMDBError.self) { try add(2, bytes: 200_000) }
    #expect(error?.kind == .mapFull)
    try environment.grow()
    try environment.grow()
    try add(2, bytes: 200_000)
    let sizes = try environment.read { transaction throws(LMDBError) in
      var sizes: [Int] = []
      guard let table = try transaction.table("a") else { return sizes }
      try transaction.forEach(in: table) { _, value in sizes.append(value.byteCount) }
      return sizes
    }
    #expect(sizes == [1000, 200_000])
  }

  @Test func refusesToOpenOnePathTwice() throws {
    let directory = try TemporaryDirectory()
    let first = try Environment(directory.path, mode: mode)
    let error = #expect(throws: LMDBError.self) {
      _ = try Environment(directory.path + "/.", mode: mode)
    }
    #expect(error?.kind == .alreadyOpen)
    #expect(throws: LMDBError.self) { _ = try Snapshot(directory.path) }
    #expect(first.path.isEmpty == false)
  }

  @Test func aSnapshotReadsWhatWasFilledAndMakesNoFile() throws {
    let directory = try TemporaryDirectory()
    do {
      let environment = try Environment(directory.path, mode: mode)
      try environment.write { transaction throws(LMDBError) in
        let table = try transaction.table("a")
        for key in UInt8(0)..<200 { try transaction.append([key], [key, key], to: table) }
      }
    }
    let (one, two) = (try Snapshot(directory.path), try Snapshot(directory.path, ordered: true))
    let entries = try #require(try one.unsafeEntries(of: "a"))
    #expect(entries.map { $0.value.first } == (UInt8(0)..<200).map { $0 })
    #expect(try two.unsafeEntries(of: "b") == nil)
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["data.mdb"])
  }

  @Test func namesWhatIsMissingAndWhatIsNoEnvironment() throws {
    let directory = try TemporaryDirectory()
    let missing = #expect(throws: LMDBError.self) { _ = try Snapshot(directory.path + "/none") }
    #expect(missing?.kind == .missingFile)
    try Data(repeating: 7, count: 8192).write(
      to: URL(fileURLWithPath: directory.path + "/data.mdb"))
    let invalid = #expect(throws: LMDBError.self) { _ = try Snapshot(directory.path) }
    #expect(invalid?.kind == .notAnEnvironment)
  }

  @Test func noSourceNamesAFlagThatGivesUpDurability() throws {
    let sources = Files.project.appendingPathComponent("Sources")
    let forbidden = ["NOSYNC", "MAPASYNC", "WRITEMAP", "NOMETASYNC"].map { "MDB_" + $0 }
    var seen = 0
    for case let file as URL in try #require(
      FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil))
    where ["swift", "c", "h"].contains(file.pathExtension) {
      let text = try String(contentsOf: file, encoding: .utf8)
      seen += 1
      for flag in forbidden { #expect(!text.contains(flag), "\(file.path) names \(flag)") }
    }
    #expect(seen > 10)
  }
}
