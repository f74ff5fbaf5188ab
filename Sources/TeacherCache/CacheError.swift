/// Why a cache cannot be read or written, with what was found, expected and to be done.
package enum CacheError: Error, Equatable, CustomStringConvertible {
  /// Nothing at `path`, or a directory without a manifest.
  case notACache(path: String)
  /// Units without the manifest that lists them.
  case noManifest(path: String, units: Int)
  /// A unit that the manifest of the cache at `path` lists and that is not there.
  case lostUnit(path: String, UnitEntry)
  /// A record that the cache does not hold.
  case missing(what: String, path: String)
  /// An identity field differs from what the caller needs.
  case mismatch(field: String, expected: String, found: String)
  /// Two caches that are to be united differ in an identity field.
  case unlike(path: String, other: String, field: String, found: String, expected: String)
  /// Bytes that are not what was written.
  case corrupt(path: String, reason: String)
  /// A unit's file has another size than its manifest says.
  case truncated(path: String, expected: Int, found: Int)
  /// Another process writes the cache; `holder` names host, pid and start.
  case locked(path: String, holder: String)
  case diskFull(path: String, free: Int, recordsSafe: Int)
  case permission(path: String)
  /// A network file system, on which LMDB must not write.
  case networkFileSystem(path: String, name: String)
  /// A format that this program does not know.
  case version(path: String, found: String, expected: String)
  /// Values that cannot be stored: not finite, or outside what the precision holds.
  case unstorable(what: String, reason: String)
  /// The target of a copy holds a unit that its source does not.
  case occupied(path: String, unit: String)
  /// A directory that cannot be made here.
  case uncreatable(path: String, reason: String)
  case io(path: String, reason: String)

  package var description: String {
    switch self {
    case .notACache(let path):
      "\(path) is not a teacher cache (no manifest.json); make one with teacher-dump --cache"
    case .noManifest(let path, let units):
      "\(path) has no manifest.json, but \(units) \(units == 1 ? "entry" : "entries") in units/; "
        + "finish teacher-dump copy if it was that, put the manifest back from a copy, or choose "
        + "another directory (to begin anew in this one, move units/ away)"
    case .lostUnit(let path, let unit):
      "the cache \(path) has lost its unit \(unit.path), which held \(unit.held); if the cache is still "
        + "being copied, let that finish; else put the unit back from a copy, or let a teacher-dump that "
        + "asks for all of it make it again"
    case .missing(let what, let path):
      "the cache \(path) does not hold \(what); teacher-dump info says what it "
        + "holds, teacher-dump adds to it"
    case .mismatch(let field, let expected, let found):
      "the cache was made with another \(field)\(Self.flag(field)): it has \(found), expected "
        + "\(expected); use what it was made with, or another cache directory"
    case .unlike(let path, let other, let field, let found, let expected):
      "\(path) has the \(field)\(Self.flag(field)) \(found), \(other) has \(expected); unite only "
        + "caches of one teacher, data set, seed and precision, or choose another directory"
    case .corrupt(let path, let reason) where path.hasSuffix("/" + CacheManifest.fileName):
      "\(path) is damaged: \(reason); put it back from a copy of the cache, or copy the cache anew "
        + "(the units hold nothing that could replace it)"
    case .corrupt(let path, let reason):
      "\(path) is damaged: \(reason); delete that unit and run teacher-dump again, "
        + "or copy the cache anew"
    case .truncated(let path, let expected, let found):
      "\(path) has \(found) bytes, the manifest says \(expected); copy the cache anew"
    case .locked(let path, let holder):
      "\(path) is being written by \(holder); wait for it or stop it, then run this again"
    case .diskFull(let path, let free, let records):
      "disk full on \(path), or a quota (\(free) bytes free)"
        + (records > 0 ? ", \(records) records of this unit are safe; " : "; ")
        + "free some space and run the same command to continue"
    case .permission(let path):
      "no permission for \(path); ask its owner or choose another directory"
    case .networkFileSystem(let path, let name):
      "\(path) lies on a network file system (\(name)), where writing a cache is not safe; "
        + "write to a local disk and bring the cache there with teacher-dump copy, or give "
        + "--allow-network-fs if its locks and memory maps are known to work"
    case .version(let path, let found, let expected):
      "\(path) has version \(found), this program reads \(expected); use the program of that "
        + "version or dump again"
    case .unstorable(let what, let reason):
      "\(what): \(reason); check the teacher, or choose a wider precision"
    case .occupied(let path, let unit):
      "\(path) is no copy: it holds \(unit), which the source does not; unite them with "
        + "teacher-dump merge, or copy to another directory"
    case .uncreatable(let path, let reason):
      "\(path) cannot be made: \(reason); choose another directory"
    case .io(let path, let reason):
      "\(path): \(reason)"
    }
  }

  /// The flag behind a field of the identity, in brackets.
  private static func flag(_ field: String) -> String {
    let flags = [
      "dataset": "--dataset", "datasetHash": "--data", "viewSeed": "--view-seed",
      "teacherArchitecture": "--arch", "teacherWeights": "--teacher", "teacherMean": "--mean",
      "teacherStd": "--std", "logits": "--logits", "featurePrecision": "--feature-precision",
    ]
    return flags[field].map { " (\($0))" } ?? ""
  }
}
