internal import Crypto
internal import FileIO
internal import FoundationEssentials
internal import Glibc

/// Files as a cache needs them: whole or absent, durable, never through a link.
package enum FileSystem {
  enum Kind { case file, directory, link, other, absent }

  /// What lies at `path` itself; links are not followed.
  ///
  /// - Throws: where one cannot look, as in a folder without permission: what lies there is not
  ///   absent, and nobody may treat it so.
  static func kind(of path: String) throws(CacheError) -> Kind {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      let code = errno
      if [ENAMETOOLONG, ELOOP].contains(code) {
        throw .uncreatable(path: path, reason: String(cString: strerror(code)))
      }
      guard code == ENOENT || code == ENOTDIR else { throw error(path) }
      return .absent
    }
    return switch status.st_mode & S_IFMT {
    case S_IFREG: .file
    case S_IFDIR: .directory
    case S_IFLNK: .link
    default: .other
    }
  }

  static func size(of path: String) throws(CacheError) -> Int {
    var status = stat()
    guard lstat(path, &status) == 0 else { throw error(path) }
    return Int(status.st_size)
  }

  /// The bytes of a regular file of at most `limit` bytes.
  static func read(_ path: String, limit: Int) throws(CacheError) -> [UInt8] {
    let size = try size(of: path)
    guard size <= limit else {
      throw .corrupt(path: path, reason: "\(size) bytes, at most \(limit) expected")
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size)
    try forEachPart(of: path) { part in
      if bytes.count <= limit { bytes.append(contentsOf: part) }
    }
    return bytes
  }

  static func sha256(of path: String) throws(CacheError) -> String {
    var hash = SHA256()
    try forEachPart(of: path) { hash.update(bufferPointer: $0) }
    return hexadecimal(hash.finalize())
  }

  /// Copies a file durably and gives the SHA-256 of what was read.
  static func copy(_ source: String, to target: String) throws(CacheError) -> String {
    let descriptor = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o644)
    guard descriptor >= 0 else { throw error(target) }
    defer { close(descriptor) }
    var hash = SHA256()
    try forEachPart(of: source) { part throws(CacheError) in
      hash.update(bufferPointer: part)
      let failure = writeAll(part, to: descriptor)
      guard failure == 0 else { throw error(target, failure) }
    }
    DiskChange.note(.wrote(target))
    guard fsync(descriptor) == 0 else { throw error(target) }
    DiskChange.note(.synced(target))
    return hexadecimal(hash.finalize())
  }

  /// Replaces `path` as a whole: another file, fsync, rename, fsync of the directory.
  static func replace(_ path: String, with bytes: [UInt8]) throws(CacheError) {
    let temporary = path + ".tmp"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o644)
    guard descriptor >= 0 else { throw error(temporary) }
    var failure = bytes.withUnsafeBytes { writeAll($0, to: descriptor) }
    DiskChange.note(.wrote(temporary))
    if failure == 0, fsync(descriptor) != 0 { failure = errno }
    close(descriptor)
    guard failure == 0 else {
      let failure = error(temporary, failure)
      unlink(temporary)
      throw failure
    }
    DiskChange.note(.synced(temporary))
    try move(temporary, to: path)
  }

  /// Renames and makes the new name durable.
  static func move(_ source: String, to target: String) throws(CacheError) {
    guard rename(source, target) == 0 else { throw error(target) }
    DiskChange.note(.renamed(source, to: target))
    try syncNames(in: folder(of: target))
  }

  /// Makes a file's bytes durable.
  static func sync(_ path: String) throws(CacheError) {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { throw error(path) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw error(path) }
    DiskChange.note(.synced(path))
  }

  /// Makes a directory's names durable.
  static func syncNames(in directory: String) throws(CacheError) {
    do { try synchronizeFolder(directory) } catch { throw Self.error(error.path, error.code) }
  }

  /// Makes a directory and those above it; the names of new ones are durable.
  static func makeDirectory(_ path: String) throws(CacheError) {
    guard !path.isEmpty else { throw .uncreatable(path: "\"\"", reason: "the path is empty") }
    do { try makeFolder(path) } catch {
      guard [EEXIST, ENOTDIR, ENOENT, ENAMETOOLONG, ELOOP].contains(error.code) else {
        throw Self.error(error.path, error.code)
      }
      throw .uncreatable(path: error.path, reason: String(cString: strerror(error.code)))
    }
  }

  /// Names in a directory, sorted; none where there is no directory.
  static func names(in directory: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
  }

  /// Whether `path`, of which some may not exist yet, lies in a directory or is it.
  static func isInside(_ path: String, _ directory: String) -> Bool {
    guard let outer = resolved(directory), let inner = resolved(nearestExisting(path)) else {
      return false
    }
    return inner == outer || inner.hasPrefix(outer + "/")
  }

  /// The path without links; nil for one that does not exist.
  private static func resolved(_ path: String) -> String? {
    guard let text = realpath(path, nil) else { return nil }
    defer { free(text) }
    return String(cString: text)
  }

  static func remove(_ path: String) throws(CacheError) {
    do {
      try FileManager.default.removeItem(atPath: path)
      DiskChange.note(.removed(path))
    } catch {
      if (try? kind(of: path)) != .absent {
        throw .io(path: path, reason: "cannot be removed: \(error)")
      }
    }
  }

  /// `path`, or the nearest folder above it that exists.
  package static func nearestExisting(_ path: String) -> String {
    var place = path
    while ((try? kind(of: place)) ?? .absent) == .absent, place != ".", place != "/" {
      place = folder(of: place)
    }
    return place
  }

  /// The type of the network file system that `path` lies on, or nil.
  ///
  /// The kernel's list of mounts is searched for the device of `path`: Swift's Glibc lacks
  /// `statfs`, and the device is unique where a path may be mounted over.
  static func networkType(of path: String) -> String? {
    var status = stat()
    guard stat(path, &status) == 0,
      let mounts = try? read("/proc/self/mountinfo", limit: 16 << 20)
    else { return nil }
    return networkType(
      of: deviceName(UInt64(status.st_dev)), in: String(decoding: mounts, as: UTF8.self))
  }

  /// A device number as mountinfo writes it; the bits are those of Linux's makedev(3).
  static func deviceName(_ device: UInt64) -> String {
    let major = (device >> 8 & 0xFFF) | (device >> 32 & 0xFFFF_F000)
    let minor = (device & 0xFF) | (device >> 12 & 0xFFFF_FF00)
    return "\(major):\(minor)"
  }

  /// The type that `mounts`, in the form of proc(5) mountinfo, gives for a device, if it is a
  /// network's.
  static func networkType(of device: String, in mounts: String) -> String? {
    let network: Set<String> = [
      "nfs", "nfs4", "lustre", "cifs", "smb3", "smbfs", "fuse", "fuseblk", "9p", "ceph", "gpfs",
      "afs", "beegfs", "pvfs2",
    ]
    for line in mounts.split(separator: "\n") {
      let fields = line.split(separator: " ")
      guard fields.count > 6, fields[2] == device,
        let dash = fields.firstIndex(of: "-"), dash + 1 < fields.count
      else { continue }
      let type = String(fields[dash + 1])
      return network.contains(type) || type.hasPrefix("fuse.") ? type : nil
    }
    return nil
  }

  /// What errno means for a cache.
  static func error(_ path: String, _ code: Int32 = errno) -> CacheError {
    switch code {
    case EACCES, EPERM, EROFS: .permission(path: path)
    case ENOSPC, EDQUOT:
      .diskFull(path: path, free: freeBytes(at: folder(of: path)) ?? 0, recordsSafe: 0)
    case ENOENT: .missing(what: "the file \(path)", path: folder(of: path))
    case ELOOP: .corrupt(path: path, reason: "it is a link, which a cache never contains")
    default: .io(path: path, reason: String(cString: strerror(code)))
    }
  }

  private static func forEachPart(
    of path: String, _ body: (UnsafeRawBufferPointer) throws(CacheError) -> Void
  ) throws(CacheError) {
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW)
    guard descriptor >= 0 else { throw error(path) }
    defer { close(descriptor) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    defer { buffer.deallocate() }
    while true {
      let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      if count == 0 { return }
      guard count > 0 else {
        if errno == EINTR { continue }
        throw error(path)
      }
      try body(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
  }
}
