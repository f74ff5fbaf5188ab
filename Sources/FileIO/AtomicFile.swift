import Glibc

/// Puts a whole file in place in one step, or leaves what was there.
///
/// The temporary file beside it has a fixed name, so that a killed program leaves at most one,
/// which the next write uses up; a lock on it keeps two writers of one file apart.
package enum AtomicFile {
  /// Writes `bytes` to `path`: temporary file, fsync, rename, fsync of the folder. A link stays, and
  /// its file is replaced; a pipe, a device or `/dev/stdout` is written to as it is.
  package static func write(_ bytes: [UInt8], to path: String) throws(FileError) {
    guard let path = try file(behind: path) else {
      let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
      guard descriptor >= 0 else { throw FileError(writing: path, code: errno) }
      defer { close(descriptor) }
      return try write(bytes, to: descriptor, path: path)
    }
    let temporary = path + ".partial"
    let descriptor = try openLocked(temporary, for: path)
    defer { close(descriptor) }
    do throws(FileError) {
      guard ftruncate(descriptor, 0) == 0 else { throw FileError(writing: path, code: errno) }
      try write(bytes, to: descriptor, path: path)
      DiskChange.note(.wrote(temporary))
      var before = stat()
      if stat(path, &before) == 0 { fchmod(descriptor, before.st_mode & 0o777) }
      guard fsync(descriptor) == 0 else { throw FileError(writing: path, code: errno) }
      DiskChange.note(.synced(temporary))
      guard rename(temporary, path) == 0 else { throw FileError(writing: path, code: errno) }
      DiskChange.note(.renamed(temporary, to: path))
    } catch {
      unlink(temporary)
      throw error
    }
    try synchronizeFolder(folder(of: path))
  }

  /// Adds `bytes` behind the first `kept` of a file, by default behind all of them, and syncs it; makes a
  /// file that is not there. A kill may leave a part of them.
  package static func append(
    _ bytes: [UInt8], to path: String, behind kept: Int? = nil
  ) throws(FileError) {
    let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FileError(writing: path, code: errno) }
    defer { close(descriptor) }
    if let kept, ftruncate(descriptor, off_t(kept)) != 0 {
      throw FileError(writing: path, code: errno)
    }
    try write(bytes, to: descriptor, path: path)
    DiskChange.note(.wrote(path))
    guard fsync(descriptor) == 0 else { throw FileError(writing: path, code: errno) }
    DiskChange.note(.synced(path))
  }

  /// Fails as ``write(_:to:)`` would for want of a folder or of permission, before there is anything
  /// to write.
  package static func requireWritable(_ path: String) throws(FileError) {
    guard let path = try file(behind: path) else { return }
    guard access(folder(of: path), W_OK) == 0 else { throw FileError(writing: path, code: errno) }
  }

  /// Whether `path` names what whoever started this program has opened for it, as `/dev/stdout` does.
  package static func isOpenAlready(_ path: String) -> Bool {
    ["/dev/std", "/dev/fd/", "/proc/"].contains(where: path.hasPrefix)
  }

  /// The file that `path` names, through links; nil where it is a pipe, a device, or open already.
  private static func file(behind path: String) throws(FileError) -> String? {
    var (named, meant) = (stat(), stat())
    guard lstat(path, &named) == 0 else { return path }
    guard stat(path, &meant) == 0 else {
      guard errno == ENOENT else { throw FileError(writing: path, code: errno) }
      throw FileError(
        path, code: ENOENT,
        "\(path) is a link to a file that is not there; remove the link, or give that file's name")
    }
    switch meant.st_mode & S_IFMT {
    // What was written there before is not ours to replace.
    case S_IFREG where isOpenAlready(path): return nil
    case S_IFREG where named.st_mode & S_IFMT == S_IFLNK:
      guard let resolved = realpath(path, nil) else { throw FileError(writing: path, code: errno) }
      defer { free(resolved) }
      return String(cString: resolved)
    case S_IFREG: return path
    case S_IFDIR: throw FileError(writing: path, code: EISDIR)
    default: return nil
    }
  }

  /// Writes all of `bytes` to an open file; `path` appears in error messages.
  package static func write(
    _ bytes: [UInt8], to descriptor: Int32, path: String
  ) throws(FileError) {
    let failure = bytes.withUnsafeBytes { writeAll($0, to: descriptor) }
    guard failure == 0 else { throw FileError(writing: path, code: failure) }
  }

  /// Opens the temporary file and locks it; who writes the same file has two seconds to finish. Between
  /// the two another writer may have renamed it away, which the comparison of inodes shows.
  private static func openLocked(_ temporary: String, for path: String) throws(FileError) -> Int32 {
    for _ in 0..<16 {
      let descriptor = open(temporary, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o666)
      guard descriptor >= 0 else { throw FileError(writing: path, code: errno) }
      if takeLock(descriptor, tries: 200) == EWOULDBLOCK {
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
    throw FileError(
      path, code: EWOULDBLOCK,
      "\(path): another process is writing this file now; give each its own folder")
  }
}
