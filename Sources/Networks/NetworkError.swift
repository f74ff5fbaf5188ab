import Foundation

/// What went wrong with a weight file or a network's name, and what to do about it.
package struct NetworkError: Error, CustomStringConvertible, Equatable {
  package enum Kind: Sendable {
    /// The file does not exist.
    case missingFile
    /// The file is not a weight file that can be trusted: cut off, inconsistent, hostile.
    case malformed
    /// The file is sound but belongs to another network, or holds values no network can use.
    case mismatch
    /// No network has this name.
    case unknownName
    /// The operating system does not allow reading or writing here.
    case permission
    /// There can be no such file here.
    case cannotCreate
    /// The disk, or what else is behind the file, takes no more.
    case cannotWrite
    /// The disk or the quota is full.
    case diskFull
  }

  package let kind: Kind
  package let description: String

  package init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}

extension NetworkError {
  /// The error for a failed system call while writing `path`; the kind follows from `code`.
  package static func writing(_ path: String, code: Int32) -> NetworkError {
    let reason = String(cString: strerror(code))
    switch code {
    case ENOSPC, EDQUOT:
      return NetworkError(
        .diskFull, "\(path): \(reason); free some space or choose another folder, then run again")
    case EACCES, EPERM, EROFS:
      return NetworkError(
        .permission, "\(path): cannot be written: \(reason); check the folder's permissions")
    case ENOENT, ENOTDIR, EISDIR, EEXIST, ENOTEMPTY, ENAMETOOLONG, ELOOP:
      return NetworkError(.cannotCreate, "\(path): cannot be written: \(reason)")
    default:
      return NetworkError(.cannotWrite, "\(path): cannot be written: \(reason)")
    }
  }

  /// The error for a failed system call while reading `path`; the kind follows from `code`.
  static func reading(_ path: String, code: Int32) -> NetworkError {
    let reason = String(cString: strerror(code))
    switch code {
    case ENOENT, ENOTDIR:
      return NetworkError(.missingFile, "\(path): there is no such file; check the path")
    case EACCES, EPERM:
      return NetworkError(.permission, "\(path): cannot be read: \(reason)")
    default:
      return NetworkError(.malformed, "\(path): cannot be read: \(reason)")
    }
  }
}
