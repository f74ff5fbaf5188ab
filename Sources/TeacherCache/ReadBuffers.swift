import Synchronization

/// What one read needs; kept for the next, so that views of one image share the work.
final class ReadBuffers: @unchecked Sendable {
  // Sound: lent to one read at a time by a mutex.
  let block = LogitBlock()
  let features = FeatureDecoder()
}

/// The buffers that no read uses at the moment.
final class ReadBufferPool: Sendable {
  private let idle = Mutex<[ReadBuffers]>([])

  func borrow() -> ReadBuffers { idle.withLock { $0.popLast() } ?? ReadBuffers() }

  func giveBack(_ buffers: ReadBuffers) { idle.withLock { $0.append(buffers) } }
}
