import Datasets
import FileIO
import Foundation
import TestSupport
import Testing

@testable import TeacherCache

@Suite struct RecoveryTests {
  private let teacher = FakeTeacher()
  private let images = Array(0..<60)
  private let views = weak(0..<4)

  private func undisturbed(_ identity: CacheIdentity) throws -> String {
    let directory = try TemporaryDirectory()
    try teacher.dump(
      directory.path, identity, images: images, views: views, taps: FakeTeacher.taps,
      featureViews: [.weak(0)])
    return try CacheReader.open(directory.path).contentHash
  }

  @Test(arguments: [LogitCodec.fp32, .q8])
  func anInterruptedDumpEndsAsAnUndisturbedOne(codec: LogitCodec) throws {
    let identity = CacheIdentity.sample(codec, features: .fp16)
    let directory = try TemporaryDirectory()
    for (stop, safe) in [(0, false), (7, true), (9, false), (20, true), (32, true)] {
      let writer = try CacheWriter.open(directory.path, identity: identity, kernelLevel: "")
      let plan = try writer.missing(
        images: images, views: views, taps: FakeTeacher.taps, featureViews: [.weak(0)])
      let unit = try writer.begin(try #require(plan.first))
      try teacher.fill(unit, limit: stop)
      if safe { try unit.commit() }
      #expect(try CacheReader.open(directory.path).info.records == 0)
    }
    let writer = try CacheWriter.open(directory.path, identity: identity, kernelLevel: "")
    let plan = try writer.missing(
      images: images, views: views, taps: FakeTeacher.taps, featureViews: [.weak(0)])
    let unit = try writer.begin(try #require(plan.first))
    #expect(unit.remainingImages == Array(59..<60))
    try teacher.fill(unit)
    try unit.seal()
    let reader = try CacheReader.open(directory.path)
    #expect(reader.contentHash == (try undisturbed(identity)))
    #expect(try CacheReader.verify(directory.path).recordsChecked == 60 * 4 + 60 * 2)
  }

  @Test func anUnsealedUnitThatDoesNotOpenIsDoneAgain() throws {
    let directory = try TemporaryDirectory()
    let identity = CacheIdentity.sample()
    let writer = try CacheWriter.open(directory.path, identity: identity, kernelLevel: "")
    let plan = try writer.missing(images: images, views: views, taps: [], featureViews: [])
    let work = try #require(plan.first)
    do {
      let unit = try writer.begin(work)
      try teacher.fill(unit, limit: 5)
      try unit.commit()
    }
    let folder = directory.path + "/units/.tmp-" + UnitName.of(work, identity)
    try Data(repeating: 0, count: 8192).write(to: URL(fileURLWithPath: folder + "/data.mdb"))
    let unit = try writer.begin(work)
    #expect(unit.remainingImages == images)
    try teacher.fill(unit)
    try unit.seal()
    #expect(try CacheReader.verify(directory.path).recordsChecked == 240)
  }

  /// Five images of a unit, committed.
  private func begun(_ directory: String, kernelLevel: String = "") throws -> WorkUnit {
    let writer = try CacheWriter.open(directory, identity: .sample(), kernelLevel: kernelLevel)
    let plan = try writer.missing(images: images, views: views, taps: [], featureViews: [])
    let work = try #require(plan.first)
    let unit = try writer.begin(work)
    try teacher.fill(unit, limit: 5)
    try unit.commit()
    writer.close()
    return work
  }

  @Test func aUnitThatCannotBeMappedIsKept() throws {
    let directory = try TemporaryDirectory()
    let work = try begun(directory.path)
    do {
      let writer = try CacheWriter(directory.path, .sample(), "", mapBytes: 1 << 50)
      let error = #expect(throws: CacheError.self) { _ = try writer.begin(work) }
      guard case .io = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      writer.close()
    }
    let writer = try CacheWriter.open(directory.path, identity: .sample(), kernelLevel: "")
    #expect(try writer.begin(work).remainingImages == Array(images[5...]))
  }

  /// Whichever bit of what a unit knows of itself is wrong: never a wrong unit, never a trap.
  @Test func aUnitWithAFlippedBitInItsAccountIsDoneAgain() throws {
    let directory = try TemporaryDirectory()
    let work = try begun(directory.path, kernelLevel: "avx2")
    let folder = directory.path + "/units/.tmp-" + UnitName.of(work, .sample())
    let file = URL(fileURLWithPath: folder + "/data.mdb")
    let sound = try Data(contentsOf: file)
    var account = UnitAccount()
    account.done = 5
    var places: [Int] = []
    var position = sound.startIndex
    // The eight bytes of the count, the name of the level 120 bytes after them.
    while let found = sound[position...].range(of: Data(account.bytes.prefix(8))) {
      if sound.count > found.lowerBound + 140,
        sound[found.lowerBound + 128..<found.lowerBound + 132] == Data("avx2".utf8)
      {
        places.append(found.lowerBound)
      }
      position = found.lowerBound + 1
    }
    try #require(!places.isEmpty)
    for byte in 0..<140 {
      var damaged = sound
      for place in places { damaged[place + byte] ^= 1 << (byte % 8) }
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true)
      try damaged.write(to: file)
      let writer = try CacheWriter.open(directory.path, identity: .sample(), kernelLevel: "")
      #expect(try writer.begin(work).remainingImages == images, "byte \(byte)")
      writer.close()
    }
  }

  /// The numbers of another level are other numbers, so a unit names both.
  @Test func aUnitThatWentOnAtAnotherKernelLevelNamesBoth() throws {
    let directory = try TemporaryDirectory()
    let work = try begun(directory.path, kernelLevel: "baseline")
    let writer = try CacheWriter.open(directory.path, identity: .sample(), kernelLevel: "avx2")
    let unit = try writer.begin(work)
    try teacher.fill(unit)
    try unit.seal()
    writer.close()
    #expect(writer.manifest.units.map(\.kernelLevel) == ["avx2 + baseline"])
    #expect(try CacheReader.open(directory.path).info.kernelLevels == ["avx2", "baseline"])
    let merged = try TemporaryDirectory()
    _ = try CacheTransfer.merge(into: merged.path + "/m", from: [directory.path])
    #expect(
      try CacheReader.open(merged.path + "/m").info.kernelLevels == ["avx2", "baseline"])
  }

  /// Nothing is written through a link: what it leads to is somebody else's.
  @Test func linksInsideACacheAreNotFollowed() throws {
    let (directory, elsewhere) = (try TemporaryDirectory(), try TemporaryDirectory())
    let work = try begun(directory.path)
    let units = directory.path + "/units"
    let name = UnitName.of(work, .sample())
    let files = FileManager.default
    let precious = elsewhere.path + "/data.mdb"
    try Data("precious".utf8).write(to: URL(fileURLWithPath: precious))
    try files.removeItem(atPath: units + "/.tmp-" + name)
    for prefix in [".tmp-", ".seen-"] {
      try files.createSymbolicLink(
        atPath: units + "/" + prefix + name, withDestinationPath: elsewhere.path)
    }
    let writer = try CacheWriter.open(directory.path, identity: .sample(), kernelLevel: "")
    _ = try writer.journal(work)
    do {
      let unit = try writer.begin(work)
      try teacher.fill(unit, limit: 1)
      try unit.commit()
    }
    #expect(FileSystem.names(in: elsewhere.path) == ["data.mdb"])
    // A file of the same description, behind a link in a folder that is none.
    let data = units + "/.tmp-" + name + "/data.mdb"
    try files.removeItem(atPath: precious)
    try files.moveItem(atPath: data, toPath: precious)
    try files.createSymbolicLink(atPath: data, withDestinationPath: precious)
    let before = try Data(contentsOf: URL(fileURLWithPath: precious))
    do {
      let unit = try writer.begin(work)
      #expect(unit.remainingImages == images)
      try teacher.fill(unit)
      try unit.commit()
    }
    let isSame = try Data(contentsOf: URL(fileURLWithPath: precious)) == before
    #expect(isSame)
    writer.close()
    try files.moveItem(atPath: units, toPath: elsewhere.path + "/units")
    try files.createSymbolicLink(
      atPath: units, withDestinationPath: elsewhere.path + "/units")
    let error = #expect(throws: CacheError.self) {
      _ = try CacheWriter.open(directory.path, identity: .sample(), kernelLevel: "")
    }
    #expect(error?.description.contains("link the whole cache") == true)
  }

  @Test func aUnitRenamedButNotListedIsSealedAgain() throws {
    let directory = try TemporaryDirectory()
    let identity = CacheIdentity.sample()
    let empty: Data
    do {
      let writer = try CacheWriter.open(directory.path, identity: identity, kernelLevel: "")
      empty = try Data(contentsOf: URL(fileURLWithPath: directory.path + "/manifest.json"))
      writer.close()
    }
    try teacher.dump(directory.path, identity, images: images, views: views)
    let hash = try CacheReader.open(directory.path).contentHash
    try empty.write(to: URL(fileURLWithPath: directory.path + "/manifest.json"))
    let writer = try CacheWriter.open(directory.path, identity: identity, kernelLevel: "")
    let plan = try writer.missing(images: images, views: views, taps: [], featureViews: [])
    let unit = try writer.begin(try #require(plan.first))
    #expect(unit.remainingImages.isEmpty)
    try unit.seal()
    #expect(try CacheReader.open(directory.path).contentHash == hash)
  }

  /// Sealed or not, and also where somebody replaced the manifest that named the first teacher.
  @Test(arguments: [true, false])
  func theUnitsOfAnotherTeacherAreNotTakenOver(areSealed: Bool) throws {
    let directory = try TemporaryDirectory()
    do {
      let writer = try CacheWriter.open(directory.path, identity: .sample(), kernelLevel: "")
      let plan = try writer.missing(images: images, views: views, taps: [], featureViews: [])
      let unit = try writer.begin(try #require(plan.first))
      try teacher.fill(unit)
      if areSealed { try unit.seal() } else { try unit.commit() }
      writer.close()
    }
    var other = CacheIdentity.sample()
    other.teacherWeights = String(repeating: "b", count: 64)
    try CacheManifest(identity: other).write(to: directory.path)
    let writer = try CacheWriter.open(directory.path, identity: other, kernelLevel: "")
    let plan = try writer.missing(images: images, views: views, taps: [], featureViews: [])
    let unit = try writer.begin(try #require(plan.first))
    #expect(unit.remainingImages == images)
  }

  /// Files of the user, and units that an older manifest does not list.
  @Test func whatIsNoUnitOfTheRequestIsLeftAlone() throws {
    let directory = try TemporaryDirectory()
    let identity = CacheIdentity.sample()
    try teacher.dump(directory.path, identity, images: images, views: weak(0..<2))
    let manifest = URL(fileURLWithPath: directory.path + "/manifest.json")
    let older = try Data(contentsOf: manifest)
    try teacher.dump(directory.path, identity, images: images, views: views)
    try older.write(to: manifest)
    let units = directory.path + "/units/"
    for name in ["README", "mine", ".tmp-mine", ".seen-00000000-xyz"] {
      try Data("precious".utf8).write(to: URL(fileURLWithPath: units + name))
    }
    let before = FileSystem.names(in: units)
    #expect(before.count == 6)
    #expect(try CacheReader.open(directory.path).info.unfinishedUnits == 1)
    try teacher.dump(directory.path, identity, images: images, views: weak(0..<3))
    #expect(Set(FileSystem.names(in: units)).isSuperset(of: before))
    // The unlisted unit is taken up by the request that made it.
    try older.write(to: manifest)
    try teacher.dump(directory.path, identity, images: images, views: views)
    #expect(try CacheReader.verify(directory.path).recordsChecked == 240)
  }

  @Test func unitsWithoutAManifestAreNotBegunAnew() throws {
    let directory = try TemporaryDirectory()
    try teacher.dump(directory.path, .sample(), images: images, views: views)
    try FileManager.default.removeItem(atPath: directory.path + "/manifest.json")
    let attempts: [() throws -> Void] = [
      { _ = try CacheWriter.open(directory.path, identity: .sample(), kernelLevel: "") },
      { _ = try CacheReader.open(directory.path) },
    ]
    for attempt in attempts {
      #expect(throws: CacheError.noManifest(path: directory.path, units: 1)) { try attempt() }
    }
    #expect(FileSystem.names(in: directory.path + "/units").count == 1)
  }

  @Test func aSecondWriterIsRefusedAtOnceNamingTheHolder() throws {
    let directory = try TemporaryDirectory()
    let first = try CacheWriter.open(directory.path, identity: .sample(), kernelLevel: "")
    let start = Date()
    let error = #expect(throws: CacheError.self) {
      _ = try CacheWriter.open(directory.path, identity: .sample(), kernelLevel: "")
    }
    #expect(Date().timeIntervalSince(start) < 1)
    #expect(error?.description.contains("pid \(ProcessInfo.processInfo.processIdentifier)") == true)
    first.close()
    try CacheWriter.open(directory.path, identity: .sample(), kernelLevel: "").close()
  }

  @Test func theLockOfAnotherProcessCountsAndEndsWithIt() throws {
    let directory = try TemporaryDirectory()
    try CacheWriter.open(directory.path, identity: .sample(), kernelLevel: "").close()
    let holder = Process()
    holder.executableURL = URL(fileURLWithPath: "/usr/bin/flock")
    // `cat` ends when its input does.
    let input = Pipe()
    holder.standardInput = input
    holder.arguments = [directory.path + "/writer.lock", "cat"]
    try holder.run()
    var refused = false
    for _ in 0..<100 where !refused {
      usleep(20_000)
      do {
        try CacheWriter.open(directory.path, identity: .sample(), kernelLevel: "").close()
      } catch CacheError.locked { refused = true }
    }
    #expect(refused)
    try input.fileHandleForWriting.close()
    holder.waitUntilExit()
    try CacheWriter.open(directory.path, identity: .sample(), kernelLevel: "").close()
  }

  @Test(.enabled(if: mayMount, "needs the right to mount a small tmpfs"))
  func aFullDiskIsNamedAndTheDumpGoesOnWhenThereIsSpace() throws {
    let directory = try TemporaryDirectory()
    try #require(succeeds("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", directory.path))
    defer { succeeds("umount", directory.path) }
    let identity = CacheIdentity.sample(classes: 1000)
    let teacher = FakeTeacher(classes: 1000)
    let many = Array(0..<100)
    do {
      let writer = try CacheWriter(directory.path, identity, "", mapBytes: 64 << 20)
      let plan = try writer.missing(images: many, views: views, taps: [], featureViews: [])
      let unit = try writer.begin(try #require(plan.first))
      try teacher.fill(unit, limit: 20)
      try unit.commit()
      try teacher.fill(unit, limit: 60)
      let error = #expect(throws: CacheError.self) { try unit.commit() }
      guard case .diskFull(_, _, recordsSafe: 80) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
    try #require(succeeds("mount", "-o", "remount,size=16m", directory.path))
    let writer = try CacheWriter.open(directory.path, identity: identity, kernelLevel: "")
    let plan = try writer.missing(images: many, views: views, taps: [], featureViews: [])
    let unit = try writer.begin(try #require(plan.first))
    #expect(unit.remainingImages.first == 20)
    try teacher.fill(unit)
    try unit.seal()
    #expect(try CacheReader.verify(directory.path).recordsChecked == 400)
  }

  @Test func networkFileSystemsAreFoundInTheListOfMounts() {
    let mounts = """
      22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
      36 22 0:51 / /home rw,nosuid shared:1 - nfs4 server:/home rw
      40 22 0:60 / /s rw - fuse.sshfs host:/ rw
      """
    #expect(FileSystem.networkType(of: "8:1", in: mounts) == nil)
    #expect(FileSystem.networkType(of: "0:51", in: mounts) == "nfs4")
    #expect(FileSystem.networkType(of: "0:60", in: mounts) == "fuse.sshfs")
    #expect(FileSystem.deviceName(0x801) == "8:1")
  }

  @Test func aNetworkFileSystemIsNotWrittenUnlessThatIsAllowed() throws {
    let directory = try TemporaryDirectory()
    let cache = directory.path + "/new/cache"
    var asked: [String] = []
    let probe = { (path: String) -> String? in
      asked.append(path)
      return "nfs4"
    }
    let error = #expect(throws: CacheError.self) {
      _ = try CacheWriter(cache, .sample(), "", mapBytes: 1 << 20, networkType: probe)
    }
    #expect(error == .networkFileSystem(path: cache, name: "nfs4"))
    #expect(error?.description.contains("--allow-network-fs") == true)
    // The nearest folder that exists is looked at, and nothing is made.
    #expect(asked == [directory.path])
    #expect(FileSystem.names(in: directory.path).isEmpty)
    try CacheWriter(cache, .sample(), "", true, mapBytes: 1 << 20, networkType: probe).close()
    try CacheWriter(cache, .sample(), "", mapBytes: 1 << 20) { _ in nil }.close()
  }

  @Test func figuresThatNoUnitHasAreDoneAgain() {
    var account = UnitAccount()
    account.done = 3
    #expect(UnitAccount(account.bytes) != nil)
    func changed(_ range: Range<Int>, to number: UInt64) -> UnitAccount? {
      var bytes = Array(account.bytes.dropLast(8))
      bytes.replaceSubrange(range, with: withUnsafeBytes(of: number.littleEndian, Array.init))
      bytes.append(littleEndian: checksum(of: bytes))
      return UnitAccount(bytes)
    }
    #expect(changed(0..<8, to: 4)?.done == 4)
    #expect(changed(40..<48, to: Double.nan.bitPattern) == nil)
    #expect(changed(48..<56, to: UInt64(Int.max)) == nil)
  }

  /// A kill between the manifest and the removal of what a unit was made from leaves that behind.
  @Test func whatIsLeftOfASealedUnitIsNotUnfinished() throws {
    let directory = try TemporaryDirectory()
    try teacher.dump(directory.path, .sample(), images: images, views: views)
    let name = try #require(
      CacheManifest.read(from: directory.path).units.first?.path.split(separator: "/").last)
    for prefix in [".seen-", ".tmp-"] {
      try FileManager.default.createDirectory(
        atPath: "\(directory.path)/units/\(prefix)\(name)", withIntermediateDirectories: true)
    }
    #expect(try CacheReader.open(directory.path).info.unfinishedUnits == 0)
  }
}
