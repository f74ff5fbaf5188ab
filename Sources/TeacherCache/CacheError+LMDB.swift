internal import FileIO
internal import LMDB

extension CacheError {
  /// What an LMDB error means for a cache.
  init(_ error: LMDBError, recordsSafe: Int = 0) {
    self =
      switch error.kind {
      case .diskFull:
        .diskFull(
          path: error.path, free: freeBytes(at: error.path) ?? 0, recordsSafe: recordsSafe)
      case .permission: .permission(path: error.path)
      case .missingFile: .missing(what: "the file data.mdb", path: error.path)
      case .notAnEnvironment, .corrupted, .notFound, .keyExists:
        .corrupt(path: error.path, reason: error.message)
      case .wrongVersion:
        .version(path: error.path, found: "another LMDB format", expected: "LMDB 0.9")
      case .tooManyFiles:
        .io(path: error.path, reason: "too many open files; raise the hard limit (ulimit -Hn)")
      case .mapFull, .input, .alreadyOpen, .other:
        .io(path: error.path, reason: error.message)
      }
  }
}
