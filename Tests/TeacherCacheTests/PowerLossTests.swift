import Datasets
import FileIO
import Foundation
import TestSupport
import Testing

@testable import TeacherCache

extension DiskLog {
  fileprivate func follow(_ change: DiskChange) {
    switch change {
    case .synced(let path) where path.hasSuffix("/data.mdb"): committed(path)
    case .removed(let path) where path.hasSuffix("/lock.mdb"):
      committed(path.replacingOccurrences(of: "lock.mdb", with: "data.mdb"))
    default: break
    }
    note(change)
  }
}

@Suite struct PowerLossTests {
  private let teacher = FakeTeacher()
  private let identity = CacheIdentity.sample(.q8)
  private let images = Array(0..<12)
  /// Two units, one after the other.
  private let views = [weak(0..<2), weak(0..<4)]

  private func dump(
    _ cache: String, _ views: [View], atOnce: Bool = false,
    onCommit: (UnitWriter) -> Void = { _ in }
  ) throws {
    let writer = try CacheWriter(cache, identity, "test", mapBytes: 64 << 10)
    defer { writer.close() }
    for work in try writer.missing(images: images, views: views, taps: [], featureViews: []) {
      let unit = try writer.begin(work)
      onCommit(unit)
      if !atOnce {
        try teacher.fill(unit, limit: 6)
        try unit.commit()
        onCommit(unit)
      }
      try teacher.fill(unit)
      try unit.seal()
    }
  }

  @Test func noPowerCutLosesWhatWasSealedOrLeavesHalfAUnit() throws {
    let directory = try TemporaryDirectory()
    let log = DiskLog(directory.path)
    // How many records are promised from which event on.
    var promises: [(event: Int, records: Int)] = [(0, 0)]
    try DiskChange.$observer.withValue(DiskChange.Observer { log.follow($0) }) {
      for views in views {
        try dump(directory.path + "/cache", views) { log.committed($0.directory + "/data.mdb") }
        promises.append((log.count, images.count * views.count))
      }
    }
    let expected = try CacheReader.open(directory.path + "/cache").contentHash
    #expect(log.count > 40)
    var random = SplitMix64(state: 5)
    var (absent, partial) = (0, 0)
    for number in 0..<faultCount(1000, full: 20_000) {
      let left = try TemporaryDirectory()
      let cache = left.path + "/cache"
      // Each moment comes up; then moments at random.
      let moment =
        number <= log.count ? number : Int(random.next() % UInt64(log.count + 1))
      try log.replay(moment, into: left.path, &random)
      let promised = promises.last { $0.event <= moment }?.records ?? 0
      if FileManager.default.fileExists(atPath: cache + "/manifest.json") {
        let found = try CacheReader.verify(cache).recordsChecked
        #expect(found >= promised, "\(found) records after event \(moment)")
        #expect([0, 24, 48].contains(found), "\(found) records after event \(moment)")
        if found < 48 { partial += 1 }
      } else {
        absent += 1
        #expect(promised == 0, "no cache after event \(moment)")
      }
      for views in views { try dump(cache, views) }
      #expect(try CacheReader.open(cache).contentHash == expected, "after event \(moment)")
      #expect(try CacheReader.verify(cache).recordsChecked == 48)
      try FileManager.default.removeItem(atPath: left.path)
    }
    #expect(absent > 0)
    #expect(partial > 0)
  }

  /// What stands under the name of a lost unit is what the list says, or nothing.
  @Test func aLostUnitIsThereOrStillLostAfterEveryPowerCut() throws {
    let directory = try TemporaryDirectory()
    let log = DiskLog(directory.path)
    let cache = directory.path + "/cache"
    var (begin, old) = (0, "")
    try DiskChange.$observer.withValue(DiskChange.Observer { log.follow($0) }) {
      for views in views {
        try dump(cache, views) { log.committed($0.directory + "/data.mdb") }
      }
      let unit = try #require(CacheManifest.read(from: cache).units.first)
      (begin, old) = (log.count, unit.sha256)
      try FileSystem.remove(cache + "/" + unit.path)
      try FileSystem.syncNames(in: cache + "/units")
      try dump(cache, views[1], atOnce: true) { log.committed($0.directory + "/data.mdb") }
    }
    // So that the two files can be told apart.
    #expect(try !CacheManifest.read(from: cache).units.contains { $0.sha256 == old })
    let expected = try CacheReader.open(cache).contentHash
    var random = SplitMix64(state: 6)
    var lost = 0
    for moment in begin...log.count {
      for _ in 0..<faultCount(10, full: 200) {
        let left = try TemporaryDirectory()
        let cache = left.path + "/cache"
        try log.replay(moment, into: left.path, &random)
        switch Result(catching: { () throws(CacheError) in try CacheReader.verify(cache) }) {
        case .success(let report): #expect(report.recordsChecked == 48, "event \(moment)")
        case .failure(.lostUnit): lost += 1
        case .failure(let error): Issue.record(error, "after event \(moment)")
        }
        try dump(cache, views[1])
        #expect(try CacheReader.open(cache).contentHash == expected, "after event \(moment)")
        #expect(try CacheReader.verify(cache).recordsChecked == 48)
        try FileManager.default.removeItem(atPath: left.path)
      }
    }
    #expect(lost > 0)
  }
}
