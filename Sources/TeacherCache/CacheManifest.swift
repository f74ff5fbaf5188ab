internal import Datasets
internal import FoundationEssentials

/// One sealed unit as the manifest lists it.
package struct UnitEntry: Codable, Equatable, Sendable {
  /// Features of one tap: its shape and the views that have them.
  package struct Features: Codable, Equatable, Sendable {
    package let shape: TapShape
    package let views: ViewRanges
  }

  /// `units/…`, relative to the cache.
  package let path: String
  package let images: IndexRanges
  /// Views whose logits every image of the unit has.
  package let logits: ViewRanges
  package let features: [Features]
  /// (image, view) logits in the unit.
  package let records: Int
  /// (image, view, tap) features in the unit.
  package let featureRecords: Int
  /// Size of data.mdb.
  package let bytes: Int
  /// SHA-256 of data.mdb.
  package let sha256: String
  /// The sum of the unit's content (see `ContentSum`), 64 hex digits.
  package let content: String
  /// CPU features of the kernels that made it; not part of the fingerprint.
  package let kernelLevel: String
  /// Largest |decoded − z| when the logits were written.
  package let logitError: Double
  /// What coding did to the gradients; nil where nobody saw the exact logits, as in a unit that a
  /// merge cut.
  package let codingError: CodingError?

  /// What it holds, in words: `weak:0-3 and features stage2, stage3 (weak:0) of 4096 images from 8192 on`.
  var held: String {
    let text = { (views: ViewRanges) in
      views.kinds.sorted { $0.key.rawValue < $1.key.rawValue }
        .map { kind, rounds in kind == .plain ? "plain" : "\(kind.name):\(rounds)" }
        .joined(separator: ", ")
    }
    let taps = Dictionary(grouping: features) { text($0.views) }
      .mapValues { $0.map(\.shape.tap).joined(separator: ", ") }
    let parts =
      (records > 0 ? [text(logits)] : [])
      + taps.sorted { $0.key < $1.key }.map { "features \($0.value) (\($0.key))" }
    return parts.joined(separator: " and ")
      + " of \(images.count) images from \(images.ranges.first?.lowerBound ?? 0) on"
  }

  /// Logits and features in the unit.
  var allRecords: Int { records + featureRecords }
}

extension [UnitEntry] {
  var allRecords: Int { reduce(0) { $0 + $1.allRecords } }
}

/// What a cache consists of: `manifest.json`.
package struct CacheManifest: Codable, Equatable, Sendable {
  package static let fileName = "manifest.json"
  static let format = "teacher-cache"
  static let lmdbFormat = "0.9"
  private static let byteLimit = 64 << 20
  private static let unitLimit = 100_000
  /// Of one unit's file: sums over all units, also of logits and features, stay below 2^63.
  static let unitByteLimit = 1 << 45

  package let format: String
  package let version: Int
  /// LMDB 1.0 has another disk format.
  package let lmdbFormat: String
  package let identity: CacheIdentity
  package let fingerprint: String
  package var units: [UnitEntry]

  init(identity: CacheIdentity) {
    format = Self.format
    version = identity.formatVersion
    lmdbFormat = Self.lmdbFormat
    self.identity = identity
    fingerprint = identity.fingerprint
    units = []
  }

  /// A directory without a manifest may become a cache only where there are no units.
  static func requireNoUnits(in directory: String) throws(CacheError) {
    let units = FileSystem.names(in: directory + "/" + UnitName.folder).count
    if units > 0 { throw .noManifest(path: directory, units: units) }
  }

  /// Refuses to make a cache in the folder of a run: whoever deletes the one would delete the other.
  static func requireNoRun(in directory: String) throws(CacheError) {
    guard try FileSystem.kind(of: directory + "/config.yaml") != .absent,
      try FileSystem.kind(of: directory + "/" + fileName) == .absent
    else { return }
    throw .uncreatable(path: directory, reason: "it holds a run (config.yaml)")
  }

  /// Reads and checks the manifest of the cache at `directory`.
  static func read(from directory: String) throws(CacheError) -> CacheManifest {
    guard !directory.isEmpty else { throw .notACache(path: "\"\"") }
    let path = directory + "/" + fileName
    let kind: FileSystem.Kind
    do { kind = try FileSystem.kind(of: path) } catch .uncreatable {
      throw .notACache(path: directory)
    }
    guard kind == .file else {
      try requireNoUnits(in: directory)
      throw .notACache(path: directory)
    }
    let bytes = try FileSystem.read(path, limit: byteLimit)
    struct Head: Decodable {
      let format: String
      let version: Int
      let lmdbFormat: String
      /// Absent in caches that were made before it was introduced.
      let checksum: String?
    }
    let manifest: CacheManifest
    do {
      let head = try JSONDecoder().decode(Head.self, from: Data(bytes))
      guard head.format == format else { throw CacheError.notACache(path: directory) }
      guard head.version == CacheIdentity.currentVersion else {
        throw CacheError.version(
          path: path, found: "\(head.version)", expected: "\(CacheIdentity.currentVersion)")
      }
      guard head.lmdbFormat == lmdbFormat else {
        throw CacheError.version(
          path: path, found: "LMDB \(head.lmdbFormat)", expected: "LMDB \(lmdbFormat)")
      }
      if let checksum = head.checksum, !ManifestChecksum.isRight(checksum, for: bytes) {
        throw CacheError.corrupt(path: path, reason: "its checksum does not match its bytes")
      }
      manifest = try JSONDecoder().decode(CacheManifest.self, from: Data(bytes))
    } catch let error as CacheError {
      throw error
    } catch {
      throw .corrupt(path: path, reason: "not a manifest (\(Self.reason(error)))")
    }
    if let reason = manifest.fault { throw .corrupt(path: path, reason: reason) }
    return manifest
  }

  private static func reason(_ error: any Error) -> String {
    func place(_ path: [any CodingKey]) -> String {
      path.isEmpty
        ? "the whole"
        : path.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
    }
    return switch error {
    case DecodingError.keyNotFound(let key, let context):
      "\(place(context.codingPath + [key])) is missing"
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
      "\(place(context.codingPath)) is of another type"
    case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
      "\(place(context.codingPath)): \(context.debugDescription)"
    default: "it is no JSON"
    }
  }

  /// The manifest without the units that are not there, and those: damaged units are given up by
  /// deleting them, and a copy of the cache that is still under way has not brought all.
  func withoutLost(
    in directory: String
  ) throws(CacheError) -> (manifest: CacheManifest, lost: [UnitEntry]) {
    var (manifest, lost) = (self, [UnitEntry]())
    manifest.units = []
    for unit in units {
      if try FileSystem.kind(of: directory + "/" + unit.path + "/data.mdb") == .absent {
        lost.append(unit)
      } else {
        manifest.units.append(unit)
      }
    }
    return (manifest, lost)
  }

  /// Refuses a cache that lacks a unit's file, or has one of another size.
  func requireFiles(in directory: String) throws(CacheError) {
    for entry in units { try UnitReader.checkFile(entry, directory + "/" + entry.path) }
  }

  /// Replaces the manifest of `directory` as a whole.
  func write(to directory: String) throws(CacheError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self) else {
      preconditionFailure("a manifest of finite numbers always encodes")
    }
    try FileSystem.replace(
      directory + "/" + Self.fileName, with: ManifestChecksum.added(to: Array(data) + [10]))
  }

  /// What is wrong with the fields, or nil: paths stay inside, sizes are possible.
  private var fault: String? {
    if fingerprint != identity.fingerprint { return "the fingerprint is not that of the identity" }
    let (classes, height, width) = (identity.classes, identity.height, identity.width)
    guard (1...65_535).contains(classes), (1...65_535).contains(height),
      (1...65_535).contains(width)
    else { return "\(classes) classes of \(height)×\(width) images are impossible" }
    if units.count > Self.unitLimit { return "\(units.count) units are too many" }
    var paths: Set<String> = []
    var shapes: [String: TapShape] = [:]
    for unit in units {
      guard UnitName.isSafe(unit.path) else { return "the path \"\(unit.path)\" is not a unit's" }
      guard paths.insert(unit.path).inserted else { return "\(unit.path) is listed twice" }
      if let reason = unit.fault { return "\(unit.path): \(reason)" }
      for shape in unit.features.map(\.shape) {
        guard shapes.updateValue(shape, forKey: shape.tap) ?? shape == shape else {
          return "\(unit.path): the tap \"\(shape.tap)\" has another shape than in other units"
        }
      }
    }
    return nil
  }
}

extension UnitEntry {
  /// What is wrong with the figures, or nil.
  fileprivate var fault: String? {
    let isHash = { (text: String) in
      text.utf8.count == 64
        && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }
    guard isHash(sha256), isHash(content) else { return "a hash is not 64 hex digits" }
    guard (1...CacheManifest.unitByteLimit).contains(bytes), bytes % 4096 == 0 else {
      return "\(bytes) bytes are no LMDB file"
    }
    guard images.count > 0 else { return "no images" }
    // So that the time to open a cache is bounded by the files that are really there.
    guard images.count <= bytes else { return "\(images.count) images in \(bytes) bytes" }
    guard records == images.count * logits.count else {
      return "\(records) records for \(images.count) images of \(logits.count) views"
    }
    // A record, and each of the views that share one, has more than a byte.
    guard records <= bytes, features.count <= RecordTable.tapLimit else {
      return "\(records) records and \(features.count) taps in \(bytes) bytes"
    }
    guard codingError?.isPossible(records: records) ?? true else {
      return "impossible figures of the coding error"
    }
    let perImage = features.reduce(0) { $0 + $1.views.count }
    guard featureRecords == images.count * perImage, featureRecords <= bytes else {
      return "\(featureRecords) features for \(images.count) images of \(perImage)"
    }
    var taps: Set<String> = []
    for feature in features {
      let shape = feature.shape
      guard taps.insert(shape.tap).inserted, RecordTable.isTapName(shape.tap),
        [shape.height, shape.width, shape.channels].allSatisfy({ (1...65_535).contains($0) }),
        shape.count * 4 <= RecordHeader.rawLimit
      else { return "the tap \"\(shape.tap)\" has an impossible name or shape" }
    }
    return nil
  }
}
