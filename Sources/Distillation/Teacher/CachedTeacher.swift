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
    let (e, f) = (String(expected, radix: 16), String(found, radix: 16))
    return "image \(key.image), view \(key.view): pixel_hash is \(f), the teacher saw \(e); "
      + "the images or the augmentation differ from those of the dump: give the same --data, or "
      + "dump again into a new cache"
  }
}

/// A teacher that was evaluated before: its stored outputs, with the replay proof of every view.
package final class CachedTeacher: TeacherSource {
  private let cache: CacheReader
  private let renderer: ViewRenderer
  private let execution: Execution
  private let storesCrops: Bool
  private var waited = Duration.zero
  package let taps: [TapSize]

  /// - Parameters:
  ///   - taps: those whose features may be asked for.
  ///   - storesCrops: whether a weak round is stored as the crop that it draws.
  package init(
    _ cache: CacheReader, taps: [TapSize], storesCrops: Bool, renderer: ViewRenderer,
    on execution: Execution
  ) {
    self.cache = cache
    self.renderer = renderer
    self.execution = execution
    self.storesCrops = storesCrops
    self.taps = taps
  }

  package var classes: Int { cache.identity.classes }

  package var secondsWaited: Double? {
    Double(waited.components.seconds) + Double(waited.components.attoseconds) * 1e-18
  }

  package func logits(_ batch: ViewBatch) throws -> Matrix {
    var logits = [Float](repeating: 0, count: batch.keys.count * classes)
    try logits.withUnsafeMutableBufferPointer { rows in
      try readAll(batch, rows, each: classes) { key, row in
        guard let start = row.baseAddress else { preconditionFailure("no classes") }
        return try self.cache.read(key, into: start)
      }
    }
    return Matrix(rows: batch.keys.count, columns: classes, floats: logits)
  }

  package func features(_ batch: ViewBatch, tap: String) throws -> Tensor {
    guard let size = taps.first(where: { $0.tap == tap }) else {
      preconditionFailure("the cache has no tap \(tap)")
    }
    let tensor = Tensor(
      [batch.keys.count, size.height, size.width, size.channels], in: execution.memory)
    let each = size.height * size.width * size.channels
    let all = UnsafeMutableBufferPointer(start: tensor.pointer, count: tensor.count)
    try readAll(batch, all, each: each) { key, part in
      try self.cache.readFeatures(key, tap: tap, into: part)
    }
    return tensor
  }

  /// Reads what is stored for each view into its part of `target` and compares the pixel hashes.
  private func readAll(
    _ batch: ViewBatch, _ target: UnsafeMutableBufferPointer<Float>, each: Int,
    _ read: (ViewKey, UnsafeMutableBufferPointer<Float>) throws -> UInt64
  ) throws {
    let clock = ContinuousClock()
    let start = clock.now
    defer { waited += clock.now - start }
    let failure = Mutex<(index: Int, error: any Error)?>(nil)
    // Each iteration writes its own part; the first failing view is reported, whoever finds it.
    nonisolated(unsafe) let (read, target) = (read, target)
    nonisolated(unsafe) let this = self
    execution.parallel(batch.keys.count) { i in
      let key = batch.keys[i]
      do {
        let stored = this.storesCrops ? this.storedKey(key) : key
        let part = UnsafeMutableBufferPointer(rebasing: target[(i * each)..<((i + 1) * each)])
        let expected = try read(stored, part)
        guard expected == batch.hashes[i] else {
          throw ReplayMismatch(key: key, expected: expected, found: batch.hashes[i])
        }
      } catch {
        failure.withLock { if $0 == nil || i < $0?.index ?? 0 { $0 = (i, error) } }
      }
    }
    if let failure = failure.withLock({ $0 }) { throw failure.error }
  }

  /// A weak round is stored as the crop that it draws where the cache holds all crops.
  private func storedKey(_ key: ViewKey) -> ViewKey {
    ViewKey(image: key.image, view: renderer.resolve(key.view, image: key.image))
  }
}
