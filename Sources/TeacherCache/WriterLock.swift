internal import FileIO
internal import Glibc

/// The right to write a cache: `flock` on `writer.lock`, which names its holder.
///
/// The kernel frees it when the process ends, however it ends; the file stays.
final class WriterLock {
  // Sound: the descriptor is owned by this object and closed once.
  private var descriptor: Int32?

  /// Takes the lock of `directory` or fails at once, naming the holder.
  init(_ directory: String) throws(CacheError) {
    let path = Self.path(directory)
    let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileSystem.error(path) }
    let code = takeLock(descriptor)
    guard code == 0 else {
      close(descriptor)
      throw Self.refusal(code, directory)
    }
    let line = Self.holderLine
    ftruncate(descriptor, 0)
    _ = line.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    self.descriptor = descriptor
  }

  deinit { release() }

  /// Fails with `.locked` while somebody holds the lock of `directory`, which may only be read.
  static func requireFree(_ directory: String) throws(CacheError) {
    let path = path(directory)
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { return }
      throw FileSystem.error(path)
    }
    defer { close(descriptor) }
    guard !isLocked(descriptor) else { throw refusal(EWOULDBLOCK, directory) }
  }

  private static func refusal(_ code: Int32, _ directory: String) -> CacheError {
    code == EWOULDBLOCK
      ? .locked(path: directory, holder: name(in: path(directory)))
      : .io(path: path(directory), reason: String(cString: strerror(code)))
  }

  private static func path(_ directory: String) -> String { directory + "/writer.lock" }

  /// The holder as it wrote itself into the lock's file.
  private static func name(in path: String) -> String {
    let text = (try? FileSystem.read(path, limit: 1024)).map { String(decoding: $0, as: UTF8.self) }
    return text?.split(separator: "\n").first.map(String.init) ?? "another process"
  }

  /// Gives the lock up.
  func release() {
    guard let descriptor else { return }
    // Closing alone would leave the lock to a child that was forked and has not called exec yet.
    flock(descriptor, LOCK_UN)
    close(descriptor)
    self.descriptor = nil
  }

  /// `host NAME, pid N, since 2026-01-31 12:00:00 UTC`.
  private static var holderLine: [UInt8] {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    let host = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    var now = time(nil)
    var parts = tm()
    gmtime_r(&now, &parts)
    var text = [CChar](repeating: 0, count: 64)
    let length = strftime(&text, text.count, "%Y-%m-%d %H:%M:%S UTC", &parts)
    let since = text.prefix(length).map { UInt8(bitPattern: $0) }
    return Array("host ".utf8) + host + Array(", pid \(getpid()), since ".utf8) + since + [10]
  }
}
