import Foundation
import LMDB
import TestSupport
import Testing

/// Files that LMDB itself would follow to a crash.
@Suite struct PageCheckTests {
  /// 300 small entries, which make a branch page and leaves, and three values in pages of their own.
  private func filled() throws -> (directory: TemporaryDirectory, bytes: Data) {
    let directory = try TemporaryDirectory()
    do {
      let environment = try Environment(directory.path, mode: .filling(mapBytes: 1 << 20))
      try environment.write { transaction throws(LMDBError) in
        let (small, large) = (try transaction.table("small"), try transaction.table("large"))
        for key in 0..<300 {
          try transaction.append(
            [UInt8(key >> 8), UInt8(key & 255)], [UInt8](repeating: UInt8(key & 255), count: 40),
            to: small)
        }
        for key in UInt8(0)..<3 {
          try transaction.append([key], [UInt8](repeating: key, count: 5000), to: large)
        }
      }
      try environment.write { transaction throws(LMDBError) in
        try transaction.put([9], [9], in: try transaction.table("small"))
      }
    }
    return (directory, try Data(contentsOf: file(directory)))
  }

  private func file(_ directory: TemporaryDirectory) -> URL {
    URL(fileURLWithPath: directory.path + "/data.mdb")
  }

  /// Reads every entry to its last byte, as a reader of units may.
  private func touch(_ directory: TemporaryDirectory) throws -> Int {
    let snapshot = try Snapshot(directory.path)
    var sum = 0
    for table in ["small", "large"] {
      for (key, value) in try snapshot.unsafeEntries(of: table) ?? [] {
        sum += key.reduce(0) { $0 + Int($1) } + value.reduce(0) { $0 + Int($1) }
      }
    }
    return sum
  }

  @Test func whatLMDBWroteIsSound() throws {
    let (directory, _) = try filled()
    #expect(try touch(directory) > 0)
  }

  @Test func noChangedByteOfATreeEndsTheProcess() throws {
    let (directory, sound) = try filled()
    let pageBytes = 4096
    let handle = try FileHandle(forUpdating: file(directory))
    var (refused, tried) = (0, 0)
    for page in 0..<sound.count / pageBytes {
      let start = page * pageBytes
      // Contents of values are not LMDB's: a few bytes of them are enough.
      let flags = Int(sound[start + 10])
      let isTree = flags == 1 || flags == 2 || flags == 8
      for offset in isTree ? Array(0..<200) + Array(3900..<4096) : Array(0..<20) {
        let before = sound[start + offset]
        for byte in Set([0, 1, 0x02, 0x10, 0x7F, 0xFF, before ^ 0x04]) where byte != before {
          try handle.seek(toOffset: UInt64(start + offset))
          try handle.write(contentsOf: [byte])
          tried += 1
          do { _ = try touch(directory) } catch { refused += 1 }
        }
        try handle.seek(toOffset: UInt64(start + offset))
        try handle.write(contentsOf: [before])
      }
    }
    #expect(tried > 10_000)
    #expect(refused > 1000)
    let isAsBefore = try Data(contentsOf: file(directory)) == sound
    #expect(isAsBefore)
  }

  @Test func aFileCutAnywhereIsRefused() throws {
    let (directory, sound) = try filled()
    for size in Array(stride(from: 0, to: sound.count, by: 512)) + [1, 151, sound.count - 1] {
      try sound.prefix(size).write(to: file(directory))
      #expect(throws: LMDBError.self, "\(size) bytes") { try touch(directory) }
    }
  }

  @Test(arguments: [
    ("a last page beyond the file", 0, 136, 8, 1 << 40, "is the last one"),
    ("a root beyond the file", 0, 128, 8, 1 << 40, "leads to page"),
    ("a root in a meta page", 0, 128, 8, 1, "leads to page 1"),
    ("a tree too deep", 0, 94, 2, 33, "depth 33"),
    ("duplicate keys", 0, 92, 2, 4, "flags 4"),
    ("a map at a fixed address", 0, 44, 2, 9, "flags 9"),
    ("pages of no bytes", 0, 40, 4, 0, "pages of 0 bytes"),
    ("another number of entries", 0, 120, 8, 7, "entries says 7"),
  ])
  func namesWhatIsWrong(
    name: String, page: Int, offset: Int, size: Int, value: UInt64, reason: String
  ) throws {
    let (directory, sound) = try filled()
    var damaged = sound
    // Both meta pages, whichever is the newer one.
    for meta in [page, page + 1] {
      for byte in 0..<size {
        damaged[meta * 4096 + offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte))
      }
    }
    try damaged.write(to: file(directory))
    let error = #expect(throws: LMDBError.self) { try touch(directory) }
    #expect(error?.kind == .corrupted)
    #expect(error?.description.contains(reason) == true, "\(name): \(error?.description ?? "")")
  }

  @Test func aBranchThatLeadsToOnePageTwiceIsRefused() throws {
    let (directory, sound) = try filled()
    var damaged = sound
    // The branch of today's tree and the one that it replaced.
    let branches = (2..<sound.count / 4096).map { $0 * 4096 }.filter { sound[$0 + 10] == 1 }
    try #require(!branches.isEmpty)
    for branch in branches {
      let node = { (index: Int) in
        branch + Int(sound[branch + 16 + 2 * index]) + Int(sound[branch + 17 + 2 * index]) << 8
      }
      for byte in 0..<6 { damaged[node(1) + byte] = sound[node(0) + byte] }
    }
    try damaged.write(to: file(directory))
    let error = #expect(throws: LMDBError.self) { try touch(directory) }
    #expect(error?.description.contains("led to twice") == true)
  }

  /// As `filled`, with several lists of free pages, which a writer may take pages from.
  private func rewritten() throws -> (directory: TemporaryDirectory, bytes: Data) {
    let (directory, _) = try filled()
    let environment = try Environment(directory.path, mode: .filling(mapBytes: 1 << 20))
    for round in UInt8(0)..<4 {
      try environment.write { transaction throws(LMDBError) in
        let table = try transaction.table("large")
        for key in UInt8(0)..<3 {
          try transaction.put([key], [UInt8](repeating: round, count: 9000), in: table)
        }
      }
    }
    return (directory, try Data(contentsOf: file(directory)))
  }

  /// A writer takes pages from the tree of free pages and writes over them.
  @Test func noChangedByteEndsTheProcessOfAWriter() throws {
    let (directory, sound) = try rewritten()
    // What a transaction leaves free is a tree of its own after the next one.
    let pageBytes = 4096
    var free = Set<Int>()
    for meta in 0..<2 {
      let root = sound[meta * pageBytes + 80..<meta * pageBytes + 88].reversed()
        .reduce(0) { $0 << 8 | UInt64($1) }
      if root != .max { free.insert(Int(root)) }
    }
    try #require(!free.isEmpty)
    var (refused, written) = (0, 0)
    for page in free.union([0, 1]) {
      for offset in Array(0..<160) + Array(4000..<4096) {
        for byte: UInt8 in [0, 1, 0x02, 0x7F, 0xFF] {
          var damaged = sound
          damaged[page * pageBytes + offset] = byte
          if damaged == sound { continue }
          try damaged.write(to: file(directory))
          do {
            let environment = try Environment(directory.path, mode: .filling(mapBytes: 1 << 20))
            for round in UInt8(0)..<3 {
              try environment.write { transaction throws(LMDBError) in
                try transaction.put(
                  [round], [UInt8](repeating: 1, count: 9000), in: try transaction.table("large"))
              }
            }
            written += 1
          } catch { refused += 1 }
        }
      }
    }
    #expect(refused > 500 && written > 500)
  }

  @Test func transactionsThatFreePagesRiseAndWere() throws {
    let (directory, sound) = try rewritten()
    // Keys of the newer free tree's leaf.
    let number = { (offset: Int) in
      sound[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
    }
    let newest = number(144) > number(4096 + 144) ? 0 : 4096
    let leaf = number(newest + 80) * 4096
    let count = (Int(sound[leaf + 12]) | Int(sound[leaf + 13]) << 8) / 2 - 8
    let keys = (0..<count).map { index in
      leaf + Int(sound[leaf + 16 + 2 * index]) + Int(sound[leaf + 17 + 2 * index]) << 8 + 8
    }
    try #require(count >= 2)
    for (key, value) in [(keys[0], 0), (keys[1], number(keys[0])), (keys[count - 1], 1 << 40)] {
      var damaged = sound
      for byte in 0..<8 { damaged[key + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte)) }
      try damaged.write(to: file(directory))
      let error = #expect(throws: LMDBError.self) {
        _ = try Environment(directory.path, mode: .filling(mapBytes: 1 << 20))
      }
      #expect(error?.description.contains("no transaction") == true)
    }
  }

  @Test func aFreePageThatIsInUseIsRefusedToAWriterOnly() throws {
    let (directory, sound) = try filled()
    var damaged = sound
    for meta in 0..<2 {
      let place = meta * 4096 + 80
      let root = sound[place..<place + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
      guard root != .max else { continue }
      // The leaf's first entry: 8 bytes of node, 8 of key, the count, the highest free page.
      let page = Int(root) * 4096
      let node = page + Int(sound[page + 16]) + Int(sound[page + 17]) << 8
      let inUse = sound[meta * 4096 + 128..<meta * 4096 + 136]
      damaged.replaceSubrange(node + 24..<node + 32, with: inUse)
    }
    try #require(damaged != sound)
    try damaged.write(to: file(directory))
    #expect(try touch(directory) > 0)
    let error = #expect(throws: LMDBError.self) {
      _ = try Environment(directory.path, mode: .filling(mapBytes: 1 << 20))
    }
    #expect(error?.kind == .corrupted)
  }

  @Test func valuesThatShareAPageAreRefused() throws {
    let (directory, sound) = try filled()
    let first = try #require(
      (0..<sound.count / 4096).first { sound[$0 * 4096 + 10] == 4 })
    var damaged = sound
    damaged[first * 4096 + 12] = 4  // of the two pages that it has
    try damaged.write(to: file(directory))
    let error = #expect(throws: LMDBError.self) { try touch(directory) }
    #expect(error?.description.contains("led to twice") == true, "\(String(describing: error))")
  }
}
