internal import CLMDB
internal import FileIO
internal import Glibc

/// What LMDB or the operating system answered when it could not do what was asked.
package struct LMDBError: Error, Equatable, CustomStringConvertible {
  /// The meaning of `code`, as far as a caller can act on it.
  package enum Kind: Sendable {
    case mapFull, notFound, keyExists, notAnEnvironment, wrongVersion, corrupted
    case missingFile, permission, diskFull, input, tooManyFiles, alreadyOpen, other
  }

  package let kind: Kind
  /// LMDB's or errno's number; 0 for what this module itself refuses.
  package let code: Int32
  /// The file or directory concerned.
  package let path: String
  /// What was found in it, where this module looked itself.
  package let reason: String?

  package init(kind: Kind, code: Int32 = 0, path: String, reason: String? = nil) {
    self.kind = kind
    self.code = code
    self.path = path
    self.reason = reason
  }

  package var description: String { "\(path): \(message)" }

  /// What went wrong, without the path.
  package var message: String {
    if kind == .alreadyOpen {
      return "open already in this process; one environment is opened once"
    }
    return "\(reason ?? String(cString: mdb_strerror(code))) (code \(code))"
  }

  /// Throws unless `code` is success. `EIO` asks `statvfs`, because LMDB reports a full disk so.
  static func check(_ code: Int32, _ path: String) throws(LMDBError) {
    if code != MDB_SUCCESS {
      throw LMDBError(kind: meaning(of: code, path), code: code, path: path)
    }
  }

  private static func meaning(of code: Int32, _ path: String) -> Kind {
    switch code {
    case MDB_MAP_FULL: .mapFull
    case MDB_NOTFOUND: .notFound
    case MDB_KEYEXIST: .keyExists
    case MDB_INVALID: .notAnEnvironment
    case MDB_VERSION_MISMATCH: .wrongVersion
    case MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_PANIC: .corrupted
    case ENOENT: .missingFile
    case EACCES, EPERM, EROFS: .permission
    case ENOSPC, EDQUOT: .diskFull
    case EMFILE, ENFILE: .tooManyFiles
    case EIO: hasSpace(path) ? .input : .diskFull
    default: .other
    }
  }

  /// Less than a mebibyte left counts as full: a failed write has given its own pages back.
  private static func hasSpace(_ path: String) -> Bool {
    freeBytes(at: path).map { $0 >= 1 << 20 } ?? true
  }
}
