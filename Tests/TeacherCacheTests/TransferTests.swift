import Datasets
import Foundation
import TestSupport
import Testing

@testable import TeacherCache

@Suite struct TransferTests {
  private let teacher = FakeTeacher()
  private let identity = CacheIdentity.sample(.q8, features: .q8)

  private func dump(
    images: Range<Int>, views: [View], featureViews: [View] = []
  ) throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    try teacher.dump(
      directory.path, identity, images: Array(images), views: views,
      taps: featureViews.isEmpty ? [] : FakeTeacher.taps, featureViews: featureViews)
    return directory
  }

  @Test func mergingPartsGivesTheContentOfTheWhole() throws {
    let whole = try dump(images: 0..<90, views: weak(0..<4), featureViews: [.weak(0)])
    let parts = [
      try dump(images: 0..<50, views: weak(0..<4)),
      try dump(images: 40..<90, views: weak(0..<4)),
      try dump(images: 0..<90, views: weak(0..<1), featureViews: [.weak(0)]),
      try dump(images: 0..<20, views: weak(1..<3)),
    ]
    let target = try TemporaryDirectory()
    let report = try CacheTransfer.merge(into: target.path, from: parts.map(\.path))
    #expect(report == .init(unitsCopied: 1, unitsCut: 2, unitsSkipped: 1))
    #expect(
      try CacheReader.open(target.path).contentHash == CacheReader.open(whole.path).contentHash)
    let again = try CacheTransfer.merge(into: target.path, from: parts.map(\.path))
    #expect(again == .init(unitsCopied: 0, unitsCut: 0, unitsSkipped: 4))
    #expect(try CacheReader.verify(target.path).recordsChecked == 90 * 4 + 90 * 2)
  }

  @Test func refusesToMergeWhatDiffers() throws {
    let one = try dump(images: 0..<5, views: weak(0..<1))
    let other = try TemporaryDirectory()
    try teacher.dump(other.path, .sample(.fp32), images: [7], views: weak(0..<1))
    let target = try TemporaryDirectory()
    let error = #expect(throws: CacheError.self) {
      _ = try CacheTransfer.merge(into: target.path, from: [one.path, other.path])
    }
    guard case .unlike(other.path, one.path, "logits", "\"fp32\"", "\"q8\"") = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func aMergeOfADamagedSourceLeavesNoEmptyCache() throws {
    let source = try dump(images: 0..<5, views: weak(0..<1))
    let unit = try #require(CacheManifest.read(from: source.path).units.first)
    let file = URL(fileURLWithPath: "\(source.path)/\(unit.path)/data.mdb")
    var bytes = try Data(contentsOf: file)
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: file)
    let folder = try TemporaryDirectory()
    #expect(throws: CacheError.self) {
      _ = try CacheTransfer.merge(into: folder.path + "/merged", from: [source.path])
    }
    #expect(FileSystem.names(in: folder.path) == [])
  }

  @Test func severalCallersCopyAtOnce() throws {
    let source = try dump(images: 0..<200, views: weak(0..<4), featureViews: [.weak(0)])
    let target = try TemporaryDirectory()
    let (from, to) = (source.path, target.path + "/fast/copy")
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      do {
        try CacheTransfer.copy(from: from, to: to)
        _ = try CacheReader.open(to)
      } catch { Issue.record(error) }
    }
    #expect(try CacheReader.verify(to).recordsChecked == 200 * 4 + 400)
    #expect(try CacheManifest.read(from: to) == CacheManifest.read(from: from))
  }

  @Test func aDamagedUnitIsNotCopied() throws {
    let source = try dump(images: 0..<20, views: weak(0..<4))
    let path = try CacheManifest.read(from: source.path).units[0].path
    let file = URL(fileURLWithPath: source.path + "/" + path + "/data.mdb")
    var bytes = try Data(contentsOf: file)
    bytes[bytes.count / 2] ^= 4
    try bytes.write(to: file)
    let target = try TemporaryDirectory()
    #expect(throws: CacheError.self) {
      try CacheTransfer.copy(from: source.path, to: target.path + "/copy")
    }
    #expect(throws: CacheError.notACache(path: target.path + "/copy")) {
      try CacheReader.open(target.path + "/copy")
    }
    #expect(throws: CacheError.self) {
      _ = try CacheTransfer.merge(into: target.path + "/merged", from: [source.path])
    }
  }

  @Test func aSourceThatLacksSomethingLeavesNoTarget() throws {
    let source = try dump(images: 0..<20, views: weak(0..<4))
    let sound = try dump(images: 20..<30, views: weak(0..<4))
    let path = try CacheManifest.read(from: source.path).units[0].path
    let file = source.path + "/" + path + "/data.mdb"
    try Data(Data(contentsOf: URL(fileURLWithPath: file)).dropLast(4096))
      .write(to: URL(fileURLWithPath: file))
    let target = try TemporaryDirectory()
    let isTruncated = { (error: any Error) in
      if case CacheError.truncated = error { true } else { false }
    }
    #expect {
      try CacheTransfer.copy(from: source.path, to: target.path + "/copy")
    } throws: {
      isTruncated($0)
    }
    #expect {
      try CacheTransfer.merge(into: target.path + "/merged", from: [sound.path, source.path])
    } throws: {
      isTruncated($0)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: target.path) == [])
  }

  @Test func theRestOfAnInterruptedTransferIsRemoved() throws {
    let source = try dump(images: 0..<20, views: weak(0..<2))
    let target = try TemporaryDirectory()
    let (cache, merged) = (target.path + "/copy", target.path + "/merged")
    try CacheTransfer.copy(from: source.path, to: cache)
    _ = try CacheTransfer.merge(into: merged, from: [source.path])
    for folder in [cache, merged] {
      for name in [".copy-00000000-0123456789abcdef", ".copy-mine"] {
        try FileSystem.makeDirectory("\(folder)/units/\(name)")
      }
      try FileManager.default.removeItem(atPath: folder + "/manifest.json")
    }
    let manifest = try CacheManifest.read(from: source.path)
    try CacheManifest(identity: manifest.identity).write(to: merged)
    try CacheTransfer.copy(from: source.path, to: cache)
    _ = try CacheTransfer.merge(into: merged, from: [source.path])
    for folder in [cache, merged] {
      let names = FileSystem.names(in: folder + "/units")
      #expect(names.filter { $0.hasPrefix(".copy") } == [".copy-mine"])
    }
  }

  /// Shapes of taps are not in the fingerprint, and a cache has one for each.
  @Test func cachesWithTapsOfOtherShapesAreNotMerged() throws {
    let whole = try dump(images: 0..<10, views: weak(0..<1), featureViews: [.weak(0)])
    let target = try dump(images: 20..<30, views: weak(0..<1))
    _ = try CacheTransfer.merge(into: target.path, from: [whole.path])
    let other = try TemporaryDirectory()
    let strange = FakeTeacher.taps.map {
      TapShape(tap: $0.tap, height: $0.height, width: $0.width, channels: $0.channels + 1)
    }
    try FakeTeacher(shapes: strange).dump(
      other.path, identity, images: Array(40..<50), views: weak(0..<1), taps: strange,
      featureViews: [.weak(0)])
    let before = try CacheReader.open(target.path).contentHash
    let error = #expect(throws: CacheError.self) {
      _ = try CacheTransfer.merge(into: target.path, from: [other.path])
    }
    guard case .mismatch(let field, _, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(field.hasPrefix("shape of tap"))
    #expect(throws: CacheError.self) {
      _ = try CacheTransfer.merge(into: target.path + "/new", from: [whole.path, other.path])
    }
    #expect(try CacheReader.open(target.path).contentHash == before)
    #expect(FileSystem.names(in: target.path + "/new").isEmpty)
  }

  @Test func aCopyThroughALinkedFolderOfUnitsIsRefused() throws {
    let source = try dump(images: 0..<5, views: weak(0..<1))
    let (target, elsewhere) = (try TemporaryDirectory(), try TemporaryDirectory())
    try FileSystem.makeDirectory(elsewhere.path + "/.copy-00000000-0123456789abcdef")
    try FileManager.default.createSymbolicLink(
      atPath: target.path + "/units", withDestinationPath: elsewhere.path)
    let error = #expect(throws: CacheError.self) {
      try CacheTransfer.copy(from: source.path, to: target.path)
    }
    #expect(error?.description.contains("link the whole cache") == true)
    #expect(FileSystem.names(in: elsewhere.path).count == 1)
  }

  /// The repair that the message of a damaged unit names: delete it and copy anew.
  @Test func aUnitThatWasDeletedIsCopiedAnew() throws {
    let source = try dump(images: 0..<20, views: weak(0..<4))
    let target = try TemporaryDirectory()
    let copy = target.path + "/copy"
    try CacheTransfer.copy(from: source.path, to: copy)
    let unit = try CacheManifest.read(from: copy).units[0].path
    try FileManager.default.removeItem(atPath: copy + "/" + unit)
    try CacheTransfer.copy(from: source.path, to: copy)
    #expect(try CacheReader.verify(copy).recordsChecked == 20 * 4)
  }

  /// The repair that the message of a damaged unit or manifest names.
  @Test func whatIsDamagedIsCopiedAnew() throws {
    let source = try dump(images: 0..<20, views: weak(0..<4))
    let target = try TemporaryDirectory()
    let copy = target.path + "/copy"
    try CacheTransfer.copy(from: source.path, to: copy)
    let unit = try CacheManifest.read(from: copy).units[0].path
    for file in ["/\(unit)/data.mdb", "/manifest.json"] {
      let url = URL(fileURLWithPath: copy + file)
      var bytes = try Data(contentsOf: url)
      bytes[bytes.count / 2] ^= 1
      try bytes.write(to: url)
      #expect(throws: CacheError.self) { try CacheReader.verify(copy) }
      var told: [Int] = []
      try CacheTransfer.copy(
        from: source.path, to: copy, progress: { done, _ in told.append(done) })
      #expect(told.last == 80)
      #expect(try CacheReader.verify(copy).recordsChecked == 80)
    }
    // Of a cache with units of its own nobody knows any more what it held.
    let damaged = URL(fileURLWithPath: copy + "/manifest.json")
    try FileManager.default.createDirectory(
      atPath: copy + "/units/00001000-0123456789abcdef", withIntermediateDirectories: false)
    try Data("{".utf8).write(to: damaged)
    let error = #expect(throws: CacheError.self) {
      try CacheTransfer.copy(from: source.path, to: copy)
    }
    guard case .corrupt = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func noCacheIsMadeInTheFolderOfARun() throws {
    let source = try dump(images: 0..<5, views: weak(0..<1))
    let folder = try TemporaryDirectory()
    try Data("method: kd\n".utf8)
      .write(to: URL(fileURLWithPath: folder.path + "/config.yaml"))
    for make in [
      { try CacheTransfer.copy(from: source.path, to: folder.path) },
      { _ = try CacheTransfer.merge(into: folder.path, from: [source.path]) },
      { try FakeTeacher().dump(folder.path, .sample(), images: [1], views: weak(0..<1)) },
    ] {
      #expect {
        try make()
      } throws: {
        if case CacheError.uncreatable(folder.path, let reason) = $0 {
          reason.contains("config.yaml")
        } else {
          false
        }
      }
    }
    #expect(FileSystem.names(in: folder.path) == ["config.yaml"])
    // Other files, such as a log of the dump, are no obstacle.
    let begun = try TemporaryDirectory()
    try Data().write(to: URL(fileURLWithPath: begun.path + "/dump.log"))
    try CacheTransfer.copy(from: source.path, to: begun.path)
  }

  @Test func aCacheIsNotCopiedIntoItself() throws {
    let directory = try TemporaryDirectory()
    let source = directory.path + "/cache"
    try FakeTeacher().dump(source, .sample(), images: [1, 2], views: weak(0..<2))
    for target in [source + "/inner", source + "/units/inner/deep"] {
      #expect {
        try CacheTransfer.copy(from: source, to: target)
      } throws: {
        if case CacheError.uncreatable = $0 { true } else { false }
      }
    }
    #expect(FileSystem.names(in: source + "/units").count == 1)
    try CacheTransfer.copy(from: source, to: source + "-beside")
  }

  @Test func aCopyThatWaitsSaysForWhom() throws {
    let source = try dump(images: 0..<20, views: weak(0..<2))
    let target = try TemporaryDirectory()
    // Only the thread below touches it before the copy is done.
    nonisolated(unsafe) let lock = try WriterLock(target.path)
    var holders: [String] = []
    try CacheTransfer.copy(from: source.path, to: target.path) { holder in
      holders.append(holder)
      // After several attempts.
      Thread {
        usleep(350_000)
        lock.release()
      }.start()
    }
    #expect(holders.count == 1 && holders[0].contains("pid \(getpid())"), "\(holders)")
  }

  @Test func aTargetWithUnitsOfItsOwnIsLeftAlone() throws {
    let source = try dump(images: 0..<20, views: weak(0..<2))
    let target = try TemporaryDirectory()
    let copy = target.path + "/copy"
    try CacheTransfer.copy(from: source.path, to: copy)
    try teacher.dump(copy, identity, images: Array(0..<20), views: weak(0..<3))
    let manifest = try CacheManifest.read(from: copy)
    let error = #expect(throws: CacheError.self) {
      try CacheTransfer.copy(from: source.path, to: copy)
    }
    guard case .occupied(copy, let unit) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(manifest.units.contains { $0.path == unit })
    #expect(try CacheManifest.read(from: copy) == manifest)
    // The other way round the copy only grows.
    try CacheTransfer.copy(from: copy, to: source.path)
    #expect(try CacheManifest.read(from: source.path) == manifest)
  }

  /// What it read of the source before it waited is old by then.
  @Test func aCopyThatWaitedCopiesTheSourceAsItIsThen() throws {
    let source = try dump(images: 0..<20, views: weak(0..<2))
    let folder = try TemporaryDirectory()
    let target = folder.path + "/copy"
    try FileSystem.makeDirectory(target)
    let lock = try WriterLock(target)
    var waited = 0
    try CacheTransfer.copy(from: source.path, to: target) { holder in
      waited += 1
      #expect(holder.contains("pid \(getpid())"))
      do {
        try teacher.dump(source.path, identity, images: Array(20..<40), views: weak(0..<2))
        lock.release()
        try CacheTransfer.copy(from: source.path, to: target)
      } catch { Issue.record(error) }
    }
    #expect(waited == 1)
    #expect(try CacheManifest.read(from: target) == CacheManifest.read(from: source.path))
    #expect(try CacheReader.verify(target).recordsChecked == 80)
  }

  @Test func theHolderOfALockIsNamedToThoseWhoMayOnlyRead() throws {
    let folder = try TemporaryDirectory()
    let lock = try WriterLock(folder.path)
    let error = #expect(throws: CacheError.self) { try WriterLock.requireFree(folder.path) }
    guard case .locked(_, let holder) = error, holder.contains("pid \(getpid())") else {
      Issue.record("\(String(describing: error))")
      return
    }
    lock.release()
    try WriterLock.requireFree(folder.path)
    try WriterLock.requireFree(folder.path + "/nothing")
  }

  /// A merge writes the list of units anew, so it must know of each that is not there.
  @Test func aMergeDoesNotForgetALostUnit() throws {
    let target = try dump(images: 0..<20, views: weak(0..<4))
    let source = try dump(images: 20..<30, views: weak(0..<4))
    let whole = try dump(images: 0..<20, views: weak(0..<5))
    let before = try CacheManifest.read(from: target.path)
    let unit = before.units[0]
    try FileManager.default.removeItem(atPath: "\(target.path)/\(unit.path)")
    #expect(throws: CacheError.lostUnit(path: target.path, unit)) {
      _ = try CacheTransfer.merge(into: target.path, from: [source.path])
    }
    #expect(try CacheManifest.read(from: target.path) == before)
    _ = try CacheTransfer.merge(into: target.path, from: [source.path, whole.path])
    #expect(try CacheReader.verify(target.path).recordsChecked == 10 * 4 + 20 * 5)
  }
}
