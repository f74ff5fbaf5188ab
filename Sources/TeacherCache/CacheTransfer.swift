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
  /// SHA-256.
  ///
  /// Several callers may ask for the same copy at once: one copies, the others wait for it and
  /// then find it done. The manifest comes last, so that `target` is a cache when it is complete.
  package static func copy(from source: String, to target: String) throws(CacheError) {
    let manifest = try CacheManifest.read(from: source)
    try FileSystem.makeDirectory(target + "/" + UnitName.folder)
    let lock = try waitForLock(target)
    defer { lock.release() }
    if FileSystem.kind(of: target + "/" + CacheManifest.fileName) != .absent {
      let present = try CacheManifest.read(from: target)
      if let (field, expected, found) = manifest.identity.firstDifference(from: present.identity) {
        throw .mismatch(field: field, expected: expected, found: found)
      }
      if present == manifest { return }
    }
    for entry in manifest.units {
      let path = target + "/" + entry.path
      if (try? UnitReader.checkFile(entry, path)) != nil,
        (try? FileSystem.sha256(of: path + "/data.mdb")) == entry.sha256
      {
        continue
      }
      try copyUnit(entry, from: source, to: target)
    }
    try manifest.write(to: target)
  }

  /// Brings all records of `sources` into the cache `target`, each once.
  ///
  /// All fingerprints must be equal. Units without anything that `target` has are copied file by
  /// file; of others only what is new is written, as it is stored, without decoding to logits.
  package static func merge(
    into target: String, from sources: [String], allowNetworkFileSystem: Bool = false
  ) throws(CacheError) -> MergeReport {
    guard let first = sources.first else { preconditionFailure("nothing to merge") }
    let identity = try CacheManifest.read(from: first).identity
    for source in sources.dropFirst() {
      let other = try CacheManifest.read(from: source).identity
      if let (field, expected, found) = identity.firstDifference(from: other) {
        throw .mismatch(field: field, expected: expected, found: found)
      }
    }
    let writer = try CacheWriter.open(
      target, identity: identity, kernelLevel: "",
      allowNetworkFileSystem: allowNetworkFileSystem)
    defer { writer.close() }
    var report = MergeReport()
    for source in sources {
      for entry in try CacheManifest.read(from: source).units {
        try take(entry, from: source, into: writer, &report)
      }
    }
    return report
  }

  private static func take(
    _ entry: UnitEntry, from source: String, into writer: CacheWriter, _ report: inout MergeReport
  ) throws(CacheError) {
    if !writer.manifest.units.contains(where: { $0.overlaps(entry) || $0.path == entry.path }) {
      try UnitReader.checkFile(entry, source + "/" + entry.path)
      try copyUnit(entry, from: source, to: writer.directory)
      try writer.add([entry])
      report.unitsCopied += 1
      return
    }
    let plans = writer.lacking(of: entry)
    if plans.isEmpty {
      report.unitsSkipped += 1
      return
    }
    let reader = try UnitReader(entry, in: source, ordered: true)
    let copier = RecordCopier(reader, writer.identity)
    for plan in plans {
      let unit = try writer.begin(plan, kernelLevel: entry.kernelLevel)
      for image in unit.remainingImages { try copier.copy(image, into: unit) }
      try unit.seal()
    }
    report.unitsCut += 1
  }

  /// One unit's file, compared with its hash, under its name only when it is durable.
  private static func copyUnit(
    _ entry: UnitEntry, from source: String, to target: String
  ) throws(CacheError) {
    try UnitReader.checkFile(entry, source + "/" + entry.path)
    let name = entry.path.split(separator: "/").last.map(String.init) ?? entry.path
    let folder = target + "/" + UnitName.folder + "/"
    let temporary = folder + ".copy-" + name
    for leftover in [temporary, folder + name] where FileSystem.kind(of: leftover) != .absent {
      try FileSystem.remove(leftover)
    }
    try FileSystem.makeDirectory(temporary)
    let path = source + "/" + entry.path + "/data.mdb"
    guard try FileSystem.copy(path, to: temporary + "/data.mdb") == entry.sha256 else {
      try FileSystem.remove(temporary)
      throw .corrupt(path: path, reason: "it has another SHA-256 than the manifest says")
    }
    try FileSystem.sync(temporary)
    try FileSystem.move(temporary, to: target + "/" + entry.path)
  }

  /// The writer's lock of `target`, tried every tenth of a second for up to an hour.
  private static func waitForLock(_ target: String) throws(CacheError) -> WriterLock {
    for _ in 0..<36_000 {
      do throws(CacheError) {
        return try WriterLock(target)
      } catch {
        guard case .locked = error else { throw error }
        usleep(100_000)
      }
    }
    return try WriterLock(target)
  }
}

/// Copies records of a sealed unit into another as they are stored.
private struct RecordCopier {
  private let source: UnitReader
  private let identity: CacheIdentity
  private let block = LogitBlock()
  private let features = FeatureDecoder()

  init(_ source: UnitReader, _ identity: CacheIdentity) {
    self.source = source
    self.identity = identity
  }

  func copy(_ image: Int, into target: UnitWriter) throws(CacheError) {
    var label = 0
    var blocks: [(key: RecordKey, views: [LogitView])] = []
    var copied: [(tap: String, key: RecordKey, parts: FeatureRecord.Parts)] = []
    for request in target.unit.requests {
      let key = RecordKey(image: image, view: request.view)
      if request.needsLogits {
        let (view, imageLabel) = try logits(key)
        label = imageLabel
        if let last = blocks.last, last.views.count < RecordBlock.maximumViews,
          last.key.value + UInt64(last.views.count) == key.value
        {
          blocks[blocks.count - 1].views.append(view)
        } else {
          blocks.append((key, [view]))
        }
      }
      for tap in request.taps {
        let (bytes, shape) = try source.feature(key, tap: tap)
        do throws(MalformedRecord) {
          let (imageLabel, parts) = try features.expanded(
            bytes, key: key, shape: shape, precision: identity.featurePrecision)
          label = imageLabel
          copied.append((tap, key, parts))
        } catch { throw source.corrupt(key, error) }
      }
    }
    try target.append(
      image: image, label: label, blocks: blocks, features: copied,
      logitError: source.entry.logitError)
  }

  private func logits(_ key: RecordKey) throws(CacheError) -> (LogitView, label: Int) {
    let (first, bytes) = try source.block(key)
    do throws(MalformedRecord) {
      if block.address != bytes.baseAddress {
        try block.open(bytes, key: first, codec: identity.logits, classes: identity.classes)
      }
      let index = key.round - first.round
      guard let header = block.header, index < header.count else {
        throw MalformedRecord(reason: "its block ends before it")
      }
      let view = LogitView(
        round: key.round, pixelHash: block.pixelHash(index), row: try block.quantized(index))
      return (view, header.label)
    } catch { throw source.corrupt(key, error) }
  }
}
