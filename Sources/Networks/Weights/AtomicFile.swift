import Foundation

/// Puts a whole file in place in one step, or leaves what was there.
///
/// The temporary file beside it has a fixed name, so that a killed program leaves at most one,
/// which the next write uses up; a lock on it keeps two writers of one file apart.
package enum AtomicFile {
  /// What was done to the disk, in order, for tests that replay power cuts; nobody else listens.
  package enum Change: Sendable {
    case madeDirectory(String), wrote(String), synced(String), renamed(String, to: String)
  }

  /// A class, because Swift 6.3 crashes with a closure as an optimised task-local value.
  package final class Observer: Sendable {
    let note: @Sendable (Change) -> Void

    package init(_ note: @escaping @Sendable (Change) -> Void) { self.note = note }
  }

  @TaskLocal package static var observer: Observer?

  /// Writes `bytes` to `path`: temporary file, fsync, rename, fsync of the folder. A link stays, and
  /// its file is replaced; a pipe, a device or `/dev/stdout` is written to as it is.
  package static func write(_ bytes: [UInt8], to path: String) throws(NetworkError) {
    guard let path = try file(behind: path) else {
      let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
      guard descriptor >= 0 else { throw .writing(path, code: errno) }
      defer { close(descriptor) }
      return try write(bytes, to: descriptor, path: path)
    }
    let temporary = path + ".partial"
    let descriptor = try openLocked(temporary, for: path)
    defer { close(descriptor) }
    do throws(NetworkError) {
      guard ftruncate(descriptor, 0) == 0 else { throw .writing(path, code: errno) }
      try write(bytes, to: descriptor, path: path)
      observer?.note(.wrote(temporary))
      var before = stat()
      if stat(path, &before) == 0 { fchmod(descriptor, before.st_mode & 0o777) }
      guard fsync(descriptor) == 0 else { throw .writing(path, code: errno) }
      observer?.note(.synced(temporary))
      guard rename(temporary, path) == 0 else { throw .writing(path, code: errno) }
      observer?.note(.renamed(temporary, to: path))
    } catch {
      unlink(temporary)
      throw error
    }
    try synchronizeFolder(of: path)
  }

  /// Adds `bytes` behind the first `kept` of a file, by default behind all of them, and syncs it; makes a
  /// file that is not there. A kill may leave a part of them.
  package static func append(
    _ bytes: [UInt8], to path: String, behind kept: Int? = nil
  ) throws(NetworkError) {
    let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .writing(path, code: errno) }
    defer { close(descriptor) }
    if let kept, ftruncate(descriptor, off_t(kept)) != 0 { throw .writing(path, code: errno) }
    try write(bytes, to: descriptor, path: path)
    observer?.note(.wrote(path))
    guard fsync(descriptor) == 0 else { throw .writing(path, code: errno) }
    observer?.note(.synced(path))
  }

  /// Makes a folder; a power cut does not take it away again.
  ///
  /// - Returns: 0, or the system's error code, EEXIST where there is something already.
  package static func makeDirectory(_ path: String) throws(NetworkError) -> Int32 {
    guard mkdir(path, 0o777) == 0 else { return errno }
    observer?.note(.madeDirectory(path))
    try synchronizeFolder(of: path)
    return 0
  }

  /// Fails as ``write(_:to:)`` would for want of a folder or of permission, before there is anything
  /// to write.
  package static func requireWritable(_ path: String) throws(NetworkError) {
    guard let path = try file(behind: path) else { return }
    guard access(folder(of: path), W_OK) == 0 else { throw .writing(path, code: errno) }
  }

  /// Whether `path` names what whoever started this program has opened for it, as `/dev/stdout` does.
  package static func isOpenAlready(_ path: String) -> Bool {
    ["/dev/std", "/dev/fd/", "/proc/"].contains(where: path.hasPrefix)
  }

  /// The file that `path` names, through links; nil where it is a pipe, a device, or open already.
  private static func file(behind path: String) throws(NetworkError) -> String? {
    var (named, meant) = (stat(), stat())
    guard lstat(path, &named) == 0 else { return path }
    guard stat(path, &meant) == 0 else {
      guard errno == ENOENT else { throw .writing(path, code: errno) }
      throw NetworkError(
        .cannotCreate,
        "\(path) is a link to a file that is not there; remove the link, or give that file's name")
    }
    switch meant.st_mode & S_IFMT {
    // What was written there before is not ours to replace.
    case S_IFREG where isOpenAlready(path): return nil
    case S_IFREG where named.st_mode & S_IFMT == S_IFLNK:
      guard let resolved = realpath(path, nil) else { throw .writing(path, code: errno) }
      defer { free(resolved) }
      return String(cString: resolved)
    case S_IFREG: return path
    case S_IFDIR: throw .writing(path, code: EISDIR)
    default: return nil
    }
  }

  /// Writes all of `bytes` to an open file; `path` appears in error messages.
  package static func write(
    _ bytes: [UInt8], to descriptor: Int32, path: String
  ) throws(NetworkError) {
    var failure: Int32 = 0
    bytes.withUnsafeBytes { buffer in
      var done = 0
      while done < buffer.count {
        let written = Foundation.write(
          descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done)
        if written < 0 && errno == EINTR { continue }
        guard written > 0 else {
          failure = written < 0 ? errno : EIO
          return
        }
        done += written
      }
    }
    guard failure == 0 else { throw .writing(path, code: failure) }
  }

  /// Opens the temporary file and locks it; between the two another writer may have renamed it
  /// away, which the comparison of inodes shows.
  private static func openLocked(_ temporary: String, for path: String) throws(NetworkError)
    -> Int32
  {
    for _ in 0..<16 {
      let descriptor = open(temporary, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o666)
      guard descriptor >= 0 else { throw .writing(path, code: errno) }
      if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
        close(descriptor)
        break
      }
      var opened = stat()
      var named = stat()
      if fstat(descriptor, &opened) == 0, lstat(temporary, &named) == 0,
        opened.st_ino == named.st_ino, opened.st_dev == named.st_dev
      {
        return descriptor
      }
      close(descriptor)
    }
    throw NetworkError(
      .cannotCreate, "\(path): another process is writing this file now; give each its own folder")
  }

  /// The folder that a file lies in; "." for a name without one.
  package static func folder(of path: String) -> String {
    // Foundation's deletingLastPathComponent crashes on a name of one letter.
    let folder = path.contains("/") ? (path as NSString).deletingLastPathComponent : "."
    return folder.isEmpty ? "." : folder
  }

  /// Makes the new name itself survive a power cut.
  private static func synchronizeFolder(of path: String) throws(NetworkError) {
    let descriptor = open(folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else {
      // Where one may write and not look, nobody can sync the names.
      if errno == EACCES { return }
      throw .writing(path, code: errno)
    }
    defer { close(descriptor) }
    // Some network file systems cannot sync a folder and say EINVAL; the file itself is safe.
    guard fsync(descriptor) == 0 || errno == EINVAL else { throw .writing(path, code: errno) }
    observer?.note(.synced(folder(of: path)))
  }
}
