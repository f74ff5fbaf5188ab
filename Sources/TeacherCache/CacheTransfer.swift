internal import Datasets
internal import Glibc

/// Copies whole caches: to a faster disk, or several into one.
package enum CacheTransfer {
  /// What a merge did.
  package struct MergeReport: Sendable, Equatable {
    /// Units whose files were taken over as they are.
    package var unitsCopied = 0
    /// Units of which only some records were new, so that a smaller unit was written.
    package var unitsCut = 0
    /// Units that held nothing new.
    package var unitsSkipped = 0
  }

  /// Makes `target` a complete copy of the cache at `source`; each file is compared with its
  /// SHA-256, also one that is there already: what is damaged is copied anew.
  ///
  /// Several callers may ask for the same copy at once: one copies, the others wait for it and
  /// then find it done. The manifest comes last, so that `target` is a cache when it is complete.
  /// A target that holds units of its own is left alone: `.occupied`.
  ///
  /// - Parameters:
  ///   - onWait: called once if another process holds the target, with who that is.
  ///   - progress: called with the number of records that are there and that of all, after each unit.
  package static func copy(
    from source: String, to target: String, onWait: (String) -> Void = { _ in },
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(CacheError) {
    var manifest = try CacheManifest.read(from: source)
    if isCopy(target, of: manifest), isSound(target, manifest, progress) { return }
    try manifest.requireFiles(in: source)
    if FileSystem.isInside(target, source) {
      throw .uncreatable(path: target, reason: "it lies inside the cache that is copied")
    }
    try CacheManifest.requireNoRun(in: target)
    try FileSystem.makeDirectory(target)
    try UnitName.makeFolder(in: target)
    let lock: WriterLock
    var hasWaited = false
    func note(_ holder: String) {
      hasWaited = true
      onWait(holder)
    }
    do throws(CacheError) {
      lock = try whenFree(note) { () throws(CacheError) in try WriterLock(target) }
    } catch {
      // Another user's lock can be waited for, but not taken.
      guard case .permission = error else { throw error }
      try whenFree(onWait) { () throws(CacheError) in try WriterLock.requireFree(target) }
      manifest = try CacheManifest.read(from: source)
      guard isCopy(target, of: manifest), isSound(target, manifest, progress) else { throw error }
      return
    }
    defer { lock.release() }
    try removeUnfinished(in: target)
    // While this one waited the source may have grown, and another caller may have copied that.
    manifest = try CacheManifest.read(from: source)
    if hasWaited, isCopy(target, of: manifest) { return }
    try manifest.requireFiles(in: source)
    if let present = try presentManifest(of: target, manifest) {
      try manifest.identity.require(present.identity, of: target, with: source)
      let listed = Set(manifest.units.map(\.sha256))
      if let other = present.units.first(where: { !listed.contains($0.sha256) }) {
        throw .occupied(path: target, unit: other.path)
      }
    }
    var done = 0
    for entry in manifest.units {
      defer {
        done += entry.allRecords
        progress(done, manifest.units.allRecords)
      }
      if !isSound(target, entry) { try copyUnit(entry, from: source, to: target) }
    }
    try manifest.write(to: target)
  }

  /// Whether all of a manifest is at `target`, units that somebody deleted too.
  private static func isCopy(_ target: String, of manifest: CacheManifest) -> Bool {
    (try? CacheManifest.read(from: target)) == manifest
      && (try? manifest.requireFiles(in: target)) != nil
  }

  /// Whether every unit's file has its hash; progress is told as of a copy.
  private static func isSound(
    _ target: String, _ manifest: CacheManifest, _ progress: (_ done: Int, _ total: Int) -> Void
  ) -> Bool {
    var done = 0
    for entry in manifest.units {
      guard isSound(target, entry) else { return false }
      done += entry.allRecords
      progress(done, manifest.units.allRecords)
    }
    return true
  }

  private static func isSound(_ target: String, _ entry: UnitEntry) -> Bool {
    let path = target + "/" + entry.path
    return (try? UnitReader.checkFile(entry, path)) != nil
      && (try? FileSystem.sha256(of: path + "/data.mdb")) == entry.sha256
  }

  /// The manifest at `target`; nil where there is none, and where it is damaged and no unit is there but
  /// those of the source, which say what it was.
  private static func presentManifest(
    of target: String, _ source: CacheManifest
  ) throws(CacheError) -> CacheManifest? {
    if try FileSystem.kind(of: target + "/" + CacheManifest.fileName) == .absent { return nil }
    do throws(CacheError) { return try CacheManifest.read(from: target) } catch {
      guard case .corrupt = error else { throw error }
      let listed = Set(source.units.map(\.path))
      let present = FileSystem.names(in: target + "/" + UnitName.folder)
      guard present.allSatisfy({ listed.contains(UnitName.folder + "/" + $0) }) else { throw error }
      return nil
    }
  }

  /// Brings all records of `sources` into the cache `target`, each once.
  ///
  /// All fingerprints must be equal. Units without anything that `target` has are copied file by
  /// file; of others only what is new is written, as it is stored, without decoding to logits.
  ///
  /// - Parameter progress: called with the number of the sources' records that are there and that of
  ///   all, after each unit.
  package static func merge(
    into target: String, from sources: [String], allowNetworkFileSystem: Bool = false,
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(CacheError) -> MergeReport {
    guard let first = sources.first else { preconditionFailure("nothing to merge") }
    let isCache = try FileSystem.kind(of: target + "/" + CacheManifest.fileName) != .absent
    let base = isCache ? target : first
    let present = try CacheManifest.read(from: base)
    let identity = present.identity
    var manifests: [CacheManifest] = []
    var units = isCache ? present.units : []
    for source in sources {
      let manifest = try CacheManifest.read(from: source)
      try identity.require(manifest.identity, of: source, with: base)
      try units.require(manifest.units.flatMap(\.features).map(\.shape))
      units += manifest.units
      try manifest.requireFiles(in: source)
      manifests.append(manifest)
    }
    if isCache {
      let (found, lost) = try present.withoutLost(in: target)
      try (found.units + manifests.flatMap(\.units)).require(lost, in: target)
    }
    let isNew = try FileSystem.kind(of: target) == .absent
    let writer = try CacheWriter.open(
      target, identity: identity, kernelLevel: "",
      allowNetworkFileSystem: allowNetworkFileSystem)
    defer { writer.close() }
    try removeUnfinished(in: target)
    var report = MergeReport()
    let total = manifests.reduce(0) { $0 + $1.units.allRecords }
    var done = 0
    do {
      for (source, manifest) in zip(sources, manifests) {
        for entry in manifest.units {
          try take(entry, from: source, into: writer, &report)
          done += entry.allRecords
          progress(done, total)
        }
      }
    } catch {
      // A merge that brought nothing leaves no empty cache behind.
      if isNew, report == MergeReport() { try? FileSystem.remove(target) }
      throw error
    }
    return report
  }

  private static func take(
    _ entry: UnitEntry, from source: String, into writer: CacheWriter, _ report: inout MergeReport
  ) throws(CacheError) {
    if !writer.manifest.units.contains(where: { $0.overlaps(entry) || $0.path == entry.path }) {
      try writer.add(entry) { () throws(CacheError) in
        try copyUnit(entry, from: source, to: writer.directory)
      }
      report.unitsCopied += 1
      return
    }
    let plans = writer.manifest.units.lacking(of: entry)
    if plans.isEmpty {
      report.unitsSkipped += 1
      return
    }
    let reader = try UnitReader(entry, in: source, ordered: true)
    let records = SealedRecords(reader, writer.identity)
    for plan in plans {
      let unit = try writer.begin(plan, kernelLevels: KernelLevels(text: entry.kernelLevel))
      for image in unit.remainingImages { try unit.copy(image, from: records) }
      try unit.seal()
    }
    report.unitsCut += 1
  }

  private static let unfinishedPrefix = ".copy-"

  /// Deletes units of which a kill left a part; the lock is held.
  private static func removeUnfinished(in target: String) throws(CacheError) {
    let folder = target + "/" + UnitName.folder
    for name in FileSystem.names(in: folder)
    where name.hasPrefix(unfinishedPrefix)
      && UnitName.isUnit(name.dropFirst(unfinishedPrefix.count))
    {
      try FileSystem.remove(folder + "/" + name)
    }
  }

  /// One unit's file, compared with its hash, under its name only when it is durable.
  private static func copyUnit(
    _ entry: UnitEntry, from source: String, to target: String
  ) throws(CacheError) {
    try UnitReader.checkFile(entry, source + "/" + entry.path)
    let name = entry.path.split(separator: "/").last.map(String.init) ?? entry.path
    let folder = target + "/" + UnitName.folder + "/"
    let temporary = folder + unfinishedPrefix + name
    for leftover in [temporary, folder + name] {
      if try FileSystem.kind(of: leftover) != .absent { try FileSystem.remove(leftover) }
    }
    try FileSystem.makeDirectory(temporary)
    let path = source + "/" + entry.path + "/data.mdb"
    do throws(CacheError) {
      guard try FileSystem.copy(path, to: temporary + "/data.mdb") == entry.sha256 else {
        throw .corrupt(path: path, reason: "it has another SHA-256 than the manifest says")
      }
    } catch {
      try? FileSystem.remove(temporary)
      throw error
    }
    try FileSystem.syncNames(in: temporary)
    try FileSystem.move(temporary, to: target + "/" + entry.path)
  }

  /// What `attempt` gives, repeated every tenth of a second for up to an hour while it finds another
  /// process at work.
  private static func whenFree<Result>(
    _ onWait: (String) -> Void, _ attempt: () throws(CacheError) -> Result
  ) throws(CacheError) -> Result {
    for number in 0..<36_000 {
      do throws(CacheError) { return try attempt() } catch {
        guard case .locked(_, let holder) = error else { throw error }
        if number == 0 { onWait(holder) }
        usleep(100_000)
      }
    }
    return try attempt()
  }
}
