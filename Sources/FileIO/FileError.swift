import Glibc

/// A file or folder that cannot be made or written, and what to do about it.
package struct FileError: Error, CustomStringConvertible, Equatable {
  package enum Kind: Sendable {
    /// The operating system does not allow writing here.
    case permission
    /// There can be no such file here.
    case cannotCreate
    /// The disk, or what else is behind the file, takes no more.
    case cannotWrite
    /// The disk or the quota is full.
    case diskFull
  }

  package let path: String
  /// errno of the call that failed.
  package let code: Int32
  package let description: String

  init(_ path: String, code: Int32, _ description: String) {
    (self.path, self.code, self.description) = (path, code, description)
  }

  /// The error for a failed system call while `path` was written or made.
  package init(writing path: String, code: Int32) {
    let reason = String(cString: strerror(code))
    let remedy =
      switch Self.kind(code) {
      case .diskFull: "\(reason); free some space or choose another folder, then run again"
      case .permission: "cannot be written: \(reason); check the folder's permissions"
      case .cannotCreate, .cannotWrite: "cannot be written: \(reason)"
      }
    self.init(path, code: code, "\(path): \(remedy)")
  }

  package var kind: Kind { Self.kind(code) }

  private static func kind(_ code: Int32) -> Kind {
    switch code {
    case ENOSPC, EDQUOT: .diskFull
    case EACCES, EPERM, EROFS: .permission
    case ENOENT, ENOTDIR, EISDIR, EEXIST, ENOTEMPTY, ENAMETOOLONG, ELOOP, EWOULDBLOCK: .cannotCreate
    default: .cannotWrite
    }
  }
}
