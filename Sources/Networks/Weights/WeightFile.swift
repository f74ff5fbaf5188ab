import FileIO
import Foundation

/// A regular file that is read in parts. A pipe or a device is refused instead of waited for.
final class WeightFile {
  // Sound: the descriptor is owned by this object and closed once.
  private let descriptor: Int32
  private let path: String
  /// Its bytes, at most `limit`.
  let count: Int
  /// Ten times what any network here takes with its momentum: every array is read before anyone looks
  /// at the names.
  static let limit = 2 << 30

  init(_ path: String) throws(NetworkError) {
    descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw .reading(path, code: errno) }
    self.path = path
    var status = stat()
    let code = fstat(descriptor, &status) == 0 ? 0 : errno
    count = Int(status.st_size)
    guard code == 0 else { throw .reading(path, code: code) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw NetworkError(.malformed, "\(path): not a regular file; expected a .safetensors file")
    }
    guard count <= Self.limit else {
      throw NetworkError(
        .malformed,
        "\(path): \(count) bytes, at most \(Self.limit) are read; expected the weights of one network"
      )
    }
  }

  deinit { close(descriptor) }

  func read(_ range: Range<Int>) throws(NetworkError) -> [UInt8] {
    let (bytes, code) = readAll(range.count, at: range.lowerBound, from: descriptor)
    guard code == 0 else { throw .reading(path, code: code) }
    guard bytes.count == range.count else {
      throw NetworkError(.malformed, "\(path): it became shorter while it was read; get it again")
    }
    return bytes
  }
}
