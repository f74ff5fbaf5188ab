import Glibc

/// The folder that a file or folder lies in: "." for a name without one, "/" for "/".
package func folder(of path: String) -> String {
  let slash = UInt8(ascii: "/")
  var bytes = path.utf8[...]
  while bytes.count > 1, bytes.last == slash { bytes.removeLast() }
  guard let end = bytes.lastIndex(of: slash) else { return "." }
  var folder = bytes[..<end]
  while folder.last == slash { folder.removeLast() }
  return folder.isEmpty ? "/" : String(Substring(folder))
}

/// Whether `path` leads to a folder, through a link too.
package func isFolder(_ path: String) -> Bool {
  var status = stat()
  return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// Makes a folder and those above it, so that a power cut does not take them away again; one that is
/// there is left alone.
///
/// - Throws: with the path of the first that cannot be made; EEXIST where that is a file.
package func makeFolder(_ path: String) throws(FileError) {
  if isFolder(path) { return }
  let above = folder(of: path)
  if above != path { try makeFolder(above) }
  if mkdir(path, 0o777) != 0 {
    let code = errno
    // Another process may have made it meanwhile.
    guard code == EEXIST, isFolder(path) else { throw FileError(writing: path, code: code) }
    return
  }
  DiskChange.note(.madeDirectory(path))
  try synchronizeFolder(above)
}

/// Makes the names in a folder survive a power cut, as far as its file system can.
package func synchronizeFolder(_ path: String) throws(FileError) {
  let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else {
    // Where one may write and not look, nobody can sync the names.
    if errno == EACCES { return }
    throw FileError(writing: path, code: errno)
  }
  defer { close(descriptor) }
  // Some network file systems cannot sync a folder and say EINVAL; the files in it are safe.
  guard fsync(descriptor) == 0 || errno == EINVAL else {
    throw FileError(writing: path, code: errno)
  }
  DiskChange.note(.synced(path))
}

/// Bytes that are free to this user on the disk of an existing path; nil where nobody can tell.
package func freeBytes(at path: String) -> Int? {
  var status = statvfs()
  guard statvfs(path, &status) == 0 else { return nil }
  // Some network file systems say 2^64 - 1 blocks for "no limit".
  let (bytes, overflow) = UInt64(status.f_bavail)
    .multipliedReportingOverflow(by: UInt64(status.f_frsize))
  return overflow ? .max : Int(clamping: bytes)
}
