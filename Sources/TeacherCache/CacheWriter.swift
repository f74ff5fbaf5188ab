package import Datasets

/// The one process that adds to a cache: it holds the lock, the manifest and the plan.
///
/// One thread uses it. Readers may read every sealed unit meanwhile.
package final class CacheWriter {
  package let directory: String
  package let identity: CacheIdentity
  /// Of the units that are there.
  package private(set) var manifest: CacheManifest
  /// Units that manifest.json lists and nobody finds: a plan must make them again, and they stay on the
  /// list until that is done.
  private var lost: [UnitEntry] = []
  private let kernelLevels: KernelLevels
  private let mapBytes: Int
  private var lock: WriterLock?

  /// Opens or makes the cache at `directory` for writing.
  ///
  /// - Throws: `.locked` at once where another writer is at work; `.mismatch` where the cache was
  ///   made from something else; `.uncreatable` in the folder of a run; `.networkFileSystem` unless
  ///   that is allowed.
  package static func open(
    _ directory: String, identity: CacheIdentity, kernelLevel: String,
    allowNetworkFileSystem: Bool = false
  ) throws(CacheError) -> CacheWriter {
    try CacheWriter(
      directory, identity, kernelLevel, allowNetworkFileSystem, mapBytes: 256 << 20)
  }

  /// - Parameter networkType: the network file system that a path lies on, if it is one.
  init(
    _ directory: String, _ identity: CacheIdentity, _ kernelLevel: String,
    _ allowNetwork: Bool = false, mapBytes: Int,
    networkType: (String) -> String? = FileSystem.networkType(of:)
  ) throws(CacheError) {
    if !allowNetwork, let type = networkType(FileSystem.nearestExisting(directory)) {
      throw .networkFileSystem(path: directory, name: type)
    }
    try CacheManifest.requireNoRun(in: directory)
    try FileSystem.makeDirectory(directory)
    lock = try WriterLock(directory)
    if try FileSystem.kind(of: directory + "/" + CacheManifest.fileName) == .absent {
      try CacheManifest.requireNoUnits(in: directory)
      manifest = CacheManifest(identity: identity)
      try UnitName.makeFolder(in: directory)
      try manifest.write(to: directory)
    } else {
      let listed = try CacheManifest.read(from: directory)
      try identity.require(listed.identity)
      try UnitName.makeFolder(in: directory)
      (manifest, lost) = try listed.withoutLost(in: directory)
    }
    self.directory = directory
    self.identity = identity
    kernelLevels = KernelLevels(text: kernelLevel)
    self.mapBytes = mapBytes
  }

  /// A kill between a unit's rename and the manifest leaves it unlisted; sealing is repeated then.
  private func reclaim(_ name: String) throws(CacheError) {
    let path = UnitName.folder + "/" + name
    if manifest.units.contains(where: { $0.path == path }) { return }
    guard try FileSystem.kind(of: directory + "/" + path) != .absent else { return }
    let unsealed = unsealedDirectory(name)
    if try FileSystem.kind(of: unsealed) != .absent { try FileSystem.remove(unsealed) }
    try FileSystem.move(directory + "/" + path, to: unsealed)
  }

  /// What must still be computed so that the cache holds logits of `views` and features of
  /// `taps` × `featureViews` for each of `images`; empty when it holds all.
  ///
  /// Work is cut at multiples of a power of two of image ids — 4096, or less where a full window
  /// would decode to more than 1 GiB — and inside a window by what is missing, so the same
  /// request gives the same units after any interruption. Unsealed units of another request are
  /// deleted; whatever else lies in `units/` is left alone.
  ///
  /// - Throws: `.lostUnit` where the manifest lists a unit that is not there and that this work would
  ///   not make again.
  package func missing(
    images: [Int], views: [View], taps: [TapShape], featureViews: [View]
  ) throws(CacheError) -> [WorkUnit] {
    let plan = try CachePlan.work(
      identity, manifest.units, lost: lost, in: directory, images: images, views: views, taps: taps,
      featureViews: featureViews)
    if lost.contains(where: manifest.units.holdAll) { try writeList() }
    let names = Set(plan.map { UnitName.of($0, identity) })
    for name in FileSystem.names(in: unitsDirectory) {
      for prefix in [UnitName.unsealedPrefix, UnitJournal.prefix]
      where name.hasPrefix(prefix) {
        let unit = String(name.dropFirst(prefix.count))
        if UnitName.isUnit(unit), !names.contains(unit) {
          try FileSystem.remove(unitsDirectory + "/" + name)
        }
      }
    }
    return plan
  }

  /// Opens a unit of the plan, going on after the last committed image of an interrupted one.
  package func begin(_ unit: WorkUnit) throws(CacheError) -> UnitWriter {
    try begin(unit, kernelLevels: kernelLevels)
  }

  func begin(_ unit: WorkUnit, kernelLevels: KernelLevels) throws(CacheError) -> UnitWriter {
    precondition(lock != nil, "the writer is closed")
    let name = UnitName.of(unit, identity)
    try reclaim(name)
    return try UnitWriter(
      unit, directory: unsealedDirectory(name), identity: identity, kernelLevels: kernelLevels,
      mapBytes: mapBytes
    ) { [self] writer throws(CacheError) in
      try publish(writer)
    }
  }

  /// Opens a unit of the plan at its beginning. What was left of it is removed: its records may differ in
  /// the last bit from those that are put there now.
  func beginAnew(_ unit: WorkUnit, kernelLevels: KernelLevels) throws(CacheError) -> UnitWriter {
    let name = UnitName.of(unit, identity)
    try reclaim(name)
    try FileSystem.remove(unsealedDirectory(name))
    return try begin(unit, kernelLevels: kernelLevels)
  }

  /// The journal of a unit of the plan, with what an interrupted run left in it.
  func journal(_ unit: WorkUnit) throws(CacheError) -> UnitJournal {
    precondition(lock != nil, "the writer is closed")
    return try UnitJournal(
      unit, in: unitsDirectory, identity: identity, kernelLevels: kernelLevels)
  }

  /// Gives up the right to write.
  package func close() {
    lock?.release()
    lock = nil
  }

  private var unitsDirectory: String { directory + "/" + UnitName.folder }

  private func unsealedDirectory(_ name: String) -> String {
    unitsDirectory + "/" + UnitName.unsealedPrefix + name
  }

  /// fsync, hash, rename, then the manifest that lists it.
  private func publish(_ writer: UnitWriter) throws(CacheError) {
    let data = writer.directory + "/data.mdb"
    let lockFile = writer.directory + "/lock.mdb"
    // One that another program's LMDB made while it began this unit.
    if try FileSystem.kind(of: lockFile) != .absent { try FileSystem.remove(lockFile) }
    try FileSystem.sync(data)
    try FileSystem.syncNames(in: writer.directory)
    let name = UnitName.of(writer.unit, identity)
    let entry = UnitEntry(
      writer, path: UnitName.folder + "/" + name, sha256: try FileSystem.sha256(of: data),
      bytes: try FileSystem.size(of: data))
    try add(entry) { () throws(CacheError) in
      try FileSystem.move(writer.directory, to: directory + "/" + entry.path)
    }
    try FileSystem.remove(unitsDirectory + "/" + UnitJournal.prefix + name)
  }

  /// Lists a unit whose directory `place` puts in its place.
  func add(_ entry: UnitEntry, place: () throws(CacheError) -> Void) throws(CacheError) {
    if let index = lost.firstIndex(where: { $0.path == entry.path }) {
      // A lost unit of this name is listed: what will be found there has to be what the list says.
      lost[index] = entry
      try writeList()
    }
    try place()
    manifest.units.append(entry)
    manifest.units.sort { $0.path < $1.path }
    try writeList()
  }

  /// Lists the units that are there, and lost ones that hold more than these.
  private func writeList() throws(CacheError) {
    lost.removeAll(where: manifest.units.holdAll)
    var listed = manifest
    listed.units += lost
    listed.units.sort { $0.path < $1.path }
    try listed.write(to: directory)
  }
}

extension UnitEntry {
  /// The entry that a unit of this work will have, without what only sealing tells.
  init(planned unit: WorkUnit) {
    self.init(
      unit, path: "", bytes: 0, sha256: "", content: ContentSum().text, kernelLevel: "",
      logitError: 0, codingError: nil)
  }

  fileprivate init(_ writer: UnitWriter, path: String, sha256: String, bytes: Int) {
    self.init(
      writer.unit, path: path, bytes: bytes, sha256: sha256,
      content: writer.account.content.text, kernelLevel: writer.account.kernelLevels.text,
      logitError: writer.account.logitError,
      codingError: writer.account.coding.views > 0 ? writer.account.coding : nil)
  }

  private init(
    _ unit: WorkUnit, path: String, bytes: Int, sha256: String, content: String,
    kernelLevel: String, logitError: Double, codingError: CodingError?
  ) {
    self.init(
      path: path, images: IndexRanges(unit.images),
      logits: ViewRanges(unit.requests.filter(\.needsLogits).map(\.view)),
      features: unit.taps.map { tap in
        Features(
          shape: tap,
          views: ViewRanges(unit.requests.filter { $0.taps.contains(tap.tap) }.map(\.view)))
      },
      records: unit.logitRecords, featureRecords: unit.featureRecords, bytes: bytes,
      sha256: sha256, content: content, kernelLevel: kernelLevel, logitError: logitError,
      codingError: codingError)
  }
}
