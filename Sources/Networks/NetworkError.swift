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
    /// The operating system does not allow reading here.
    case permission
  }

  package let kind: Kind
  package let description: String

  package init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}

extension NetworkError {
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
