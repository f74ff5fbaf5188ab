internal import Crypto
internal import FileIO

/// The names of unit directories: `units/IMAGE-DIGEST`, before sealing `units/.tmp-…`.
enum UnitName {
  static let folder = "units"
  static let unsealedPrefix = ".tmp-"

  /// The first image id and a digest of everything that the unit's bytes depend on, so that the
  /// same command finds its interrupted unit again, and another teacher's never is taken for it.
  static func of(_ unit: WorkUnit, _ identity: CacheIdentity) -> String {
    let text = description(of: unit, identity)
    let digest = hexadecimal(SHA256.hash(data: Array(text.utf8))).prefix(16)
    let first = String(unit.images.first ?? 0)
    return String(repeating: "0", count: max(0, 8 - first.count)) + first + "-" + digest
  }

  /// The fingerprint, the images, each view with what it needs, the taps' shapes.
  static func description(of unit: WorkUnit, _ identity: CacheIdentity) -> String {
    let views = unit.requests.map {
      "\($0.view)" + ($0.needsLogits ? "+" : "-") + $0.taps.joined(separator: "+")
    }
    let taps = unit.taps.map { "\($0.tap)=\($0.height)x\($0.width)x\($0.channels)" }
    return [
      identity.fingerprint, "\(IndexRanges(unit.images))", views.joined(separator: " "),
      taps.joined(separator: " "),
    ].joined(separator: "\n")
  }

  /// Makes the folder of a cache's units, or fails where it is a link: nothing is written, and above
  /// all nothing deleted, through one.
  static func makeFolder(in directory: String) throws(CacheError) {
    let path = directory + "/" + folder
    guard try FileSystem.kind(of: path) != .link else {
      throw .uncreatable(
        path: path, reason: "it is a link, through which nothing is written; link the whole cache")
    }
    try FileSystem.makeDirectory(path)
  }

  /// Units of a cache that a dump or a training run began and nobody sealed, or that no manifest
  /// lists.
  ///
  /// - Parameter listed: paths of the units that the manifest lists.
  static func unfinished(in directory: String, listed: Set<String>) -> Int {
    let prefixes = [unsealedPrefix, UnitJournal.prefix]
    let names = FileSystem.names(in: directory + "/" + folder).map { name in
      prefixes.first { name.hasPrefix($0) }.map { name.dropFirst($0.count) } ?? name[...]
    }
    return Set(names.filter { isUnit($0) && !listed.contains("\(folder)/\($0)") }).count
  }

  /// Whether a name is one that `of` gives.
  static func isUnit(_ name: some StringProtocol) -> Bool {
    let parts = name.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    return parts.count == 2 && parts[0].count >= 8 && parts[1].count == 16
      && parts[0].allSatisfy { (48...57).contains($0) }
      && parts[1].allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
  }

  /// Whether a path from a manifest is `units/` and one plain name.
  static func isSafe(_ path: String) -> Bool {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0] == folder, !parts[1].isEmpty, parts[1].utf8.count <= 100
    else { return false }
    return parts[1].utf8.allSatisfy {
      (48...57).contains($0) || (97...122).contains($0) || $0 == UInt8(ascii: "-")
    }
  }
}
