/// Why a data set, a subset or a view cannot be had, in words for the person at the terminal.
package struct DatasetError: Error, Equatable, CustomStringConvertible {
  /// What went wrong, as far as a program has to tell causes apart (exit codes).
  package enum Kind: Sendable, Equatable {
    /// A file or folder is not there or cannot be read.
    case missingFile
    /// A file is not what it should be: cut off, too long, of another format, damaged.
    case malformed
    /// A name or number that was asked for does not exist.
    case usage
    /// The user may not read a file.
    case permission
  }

  package let kind: Kind
  /// What was found, what was expected, what to do.
  package let description: String

  package init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}
