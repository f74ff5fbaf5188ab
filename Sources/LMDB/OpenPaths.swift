import Glibc
import Synchronization

/// Which environments this process holds: LMDB loses its locks when one file is opened twice.
enum OpenPaths {
  private struct Held {
    var readers = 0
    var writer = false
  }

  private static let held = Mutex<[String: Held]>([:])

  /// Takes a place for `path`; sealed environments hold no locks, so they may be shared.
  static func enter(_ path: String, sealed: Bool) throws(LMDBError) {
    let taken = held.withLock { paths in
      var entry = paths[path] ?? Held()
      if entry.writer || (!sealed && entry.readers > 0) { return false }
      if sealed { entry.readers += 1 } else { entry.writer = true }
      paths[path] = entry
      return true
    }
    if !taken { throw LMDBError(kind: .alreadyOpen, path: path) }
  }

  static func leave(_ path: String, sealed: Bool) {
    held.withLock { paths in
      guard var entry = paths[path] else { return }
      if sealed { entry.readers -= 1 } else { entry.writer = false }
      paths[path] = entry.readers == 0 && !entry.writer ? nil : entry
    }
  }

  /// The one name of a file, whatever links and dots led to it.
  static func canonical(_ path: String) throws(LMDBError) -> String {
    guard let resolved = realpath(path, nil) else {
      let code = errno
      throw LMDBError(
        kind: code == ENOENT ? .missingFile : code == EACCES ? .permission : .other,
        code: code, path: path)
    }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
