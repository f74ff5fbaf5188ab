package import Datasets
import Foundation
import Synchronization
package import TeacherCache
package import Tensors

/// Pixels that are not those that the teacher saw.
package struct ReplayMismatch: Error, CustomStringConvertible, Sendable {
  package let key: ViewKey
  package let expected: UInt64
  package let found: UInt64

  package init(key: ViewKey, expected: UInt64, found: UInt64) {
    self.key = key
    self.expected = expected
    self.found = found
  }

  package var description: String {
    "image \(key.image), view \(key.view): pixel_hash is \(found.proofText), the teacher saw "
      + "\(expected.proofText); "
      + "the images or the augmentation differ from those of the dump: give the same --data, or "
      + "dump again into a new cache"
  }
}

/// A teacher that was evaluated before: its stored outputs, with the replay proof of every view.
package final class CachedTeacher: TeacherSource {
  private let cache: any StoredOutputs
  private let renderer: ViewRenderer
  private let execution: Execution
  private var waited = Duration.zero
  /// Finds the records, which may wait for the disk, while the cores compute.
  private let prefetching = DispatchQueue(label: "prefetch", qos: .utility)
  package let taps: [TapShape]

  /// - Parameter taps: those whose features may be asked for.
  package init(
    _ cache: any StoredOutputs, taps: [TapShape], renderer: ViewRenderer, on execution: Execution
  ) {
    self.cache = cache
    self.renderer = renderer
    self.execution = execution
    self.taps = taps
  }

  package var classes: Int { cache.identity.classes }

  package var secondsWaited: Double? { waited.seconds }

  package func logits(_ batch: ViewBatch) throws -> TeacherLogits {
    let count = batch.keys.count
    var logits = [Float](repeating: 0, count: count * classes)
    // Exact codecs store no confidence: the logits give it.
    var stored = [Float?](repeating: nil, count: count)
    try logits.withUnsafeMutableBufferPointer { logits in
      try stored.withUnsafeMutableBufferPointer { stored in
        nonisolated(unsafe) let (logits, stored) = (logits, stored)
        let (cache, each) = (cache, classes)
        try readAll(batch, tap: nil) { i, key in
          guard let row = logits.baseAddress else { preconditionFailure("no classes") }
          let record = try cache.readDetails(key, into: row + i * each)
          stored[i] = record.confidence
          return record.pixelHash
        }
      }
    }
    let confidence = stored.compactMap { $0.map(Double.init) }
    return TeacherLogits(
      Matrix(rows: count, columns: classes, floats: logits),
      confidence: confidence.count == count ? confidence : nil)
  }

  package func features(_ batch: ViewBatch, taps: Set<String>) throws -> [String: Tensor] {
    try Dictionary(uniqueKeysWithValues: taps.map { ($0, try features(batch, tap: $0)) })
  }

  private func features(_ batch: ViewBatch, tap: String) throws -> Tensor {
    guard let size = taps.first(where: { $0.tap == tap }) else {
      preconditionFailure("the cache has no tap \(tap)")
    }
    let tensor = Tensor(
      [batch.keys.count, size.height, size.width, size.channels], in: execution.memory)
    let each = size.height * size.width * size.channels
    nonisolated(unsafe) let target = tensor.pointer
    let cache = cache
    try readAll(batch, tap: tap) { i, key in
      let part = UnsafeMutableBufferPointer(start: target + i * each, count: each)
      return try cache.readFeatures(key, tap: tap, into: part)
    }
    return tensor
  }

  package func prove(_ batch: ViewBatch) throws { _ = try logits(batch) }

  package func prefetch(_ keys: [ViewKey], tap: String?) {
    let (cache, info) = (cache, renderer.info)
    prefetching.async {
      for key in keys {
        cache.prefetch(cache.storedKey(key, tap: tap, info: info), tap: tap)
      }
    }
  }

  /// Reads what is stored for each view, on all workers, and compares the pixel hashes.
  ///
  /// - Parameter read: reads view i of the batch from its stored key and gives the hash of the
  ///   pixels behind it; called once for each i, from any thread.
  private func readAll(
    _ batch: ViewBatch, tap: String?, _ read: (_ index: Int, _ stored: ViewKey) throws -> UInt64
  ) throws {
    let outer = execution.enter(.cache)
    defer { execution.leave(outer) }
    let start = ContinuousClock.now
    defer { waited += ContinuousClock.now - start }
    let failure = Mutex<(index: Int, error: any Error)?>(nil)
    // Sound: `parallel` returns before this function does, and each call touches its own view.
    nonisolated(unsafe) let (read, this) = (read, self)
    execution.parallel(batch.keys.count) { i in
      let key = batch.keys[i]
      do {
        let expected = try read(i, this.storedKey(key, tap: tap))
        guard expected == batch.hashes[i] else {
          throw ReplayMismatch(key: key, expected: expected, found: batch.hashes[i])
        }
      } catch {
        // The first failing view is reported, whoever finds it.
        failure.withLock { if $0 == nil || i < $0?.index ?? 0 { $0 = (i, error) } }
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
  }

  func storedKey(_ key: ViewKey, tap: String?) -> ViewKey {
    cache.storedKey(key, tap: tap, info: renderer.info)
  }
}
