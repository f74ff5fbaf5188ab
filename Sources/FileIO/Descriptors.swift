import Glibc

/// Writes all of `bytes` to an open file: behind what was written last, or at `offset`.
///
/// - Returns: 0, or errno of the write that failed; a part may be there.
package func writeAll(
  _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at offset: Int? = nil
) -> Int32 {
  var done = 0
  while done < bytes.count {
    let (rest, count) = (bytes.baseAddress?.advanced(by: done), bytes.count - done)
    let written =
      if let offset { pwrite(descriptor, rest, count, off_t(offset + done)) } else {
        write(descriptor, rest, count)
      }
    if written < 0 && errno == EINTR { continue }
    guard written > 0 else { return written < 0 ? errno : EIO }
    done += written
  }
  return 0
}

/// Writes all of `text` to an open descriptor, such as standard output.
///
/// - Returns: 0, or errno where it takes no more: a full disk, or a descriptor that is closed.
@discardableResult
package func writeAll(_ text: String, to descriptor: Int32) -> Int32 {
  Array(text.utf8).withUnsafeBytes { writeAll($0, to: descriptor) }
}

/// Reads `count` bytes of an open file at `offset`.
///
/// - Returns: the bytes, fewer where the file ends before, and 0, or errno of the read that failed.
package func readAll(
  _ count: Int, at offset: Int, from descriptor: Int32
) -> (bytes: [UInt8], code: Int32) {
  var code: Int32 = 0
  let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
    filled = 0
    while filled < count {
      let got = pread(
        descriptor, buffer.baseAddress?.advanced(by: filled), count - filled,
        off_t(offset + filled))
      if got < 0 && errno == EINTR { continue }
      if got < 0 { code = errno }
      guard got > 0 else { return }
      filled += got
    }
  }
  return (bytes, code)
}

/// Takes the lock of an open file for this process alone.
///
/// Who only looks whether a lock is taken has it for a moment, so that one refusal says nothing yet.
///
/// - Parameter tries: how often to ask, each time 10 ms after the last.
/// - Returns: 0, or errno: EWOULDBLOCK where somebody else has it.
package func takeLock(_ descriptor: Int32, tries: Int = 10) -> Int32 {
  for attempt in 1...tries {
    if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return 0 }
    let code = errno
    guard [EWOULDBLOCK, EINTR].contains(code), attempt < tries else { return code }
    usleep(10_000)
  }
  return EWOULDBLOCK
}

/// Whether somebody has the lock of an open file now.
package func isLocked(_ descriptor: Int32) -> Bool {
  guard flock(descriptor, LOCK_SH | LOCK_NB) == 0 else { return errno == EWOULDBLOCK }
  flock(descriptor, LOCK_UN)
  return false
}
