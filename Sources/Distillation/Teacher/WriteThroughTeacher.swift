package import Datasets
package import TeacherCache
package import Tensors

/// A teacher that runs live where its cache has nothing yet, stores what it says, and says what is
/// stored: a student learns from the very numbers that later students read.
package final class WriteThroughTeacher: TeacherSource {
  private let cache: GrowingCache
  private let stored: CachedTeacher
  private let pass: TeacherPass
  private let labels: [Int]

  /// - Parameters:
  ///   - pass: the teacher, with the renderer of the cache's views.
  ///   - labels: of the whole training set, by image id.
  ///   - taps: those whose features the cache will hold.
  package init(
    _ cache: GrowingCache, pass: TeacherPass, labels: [Int], taps: [TapShape],
    renderer: ViewRenderer, on execution: Execution
  ) {
    self.cache = cache
    self.pass = pass
    self.labels = labels
    stored = CachedTeacher(cache, taps: taps, renderer: renderer, on: execution)
  }

  package var classes: Int { stored.classes }
  package var taps: [TapShape] { stored.taps }
  /// Seconds spent reading; the teacher's own work is not waiting.
  package var secondsWaited: Double? { stored.secondsWaited }
  /// (image, view) pairs that the teacher has not been evaluated on.
  package var missing: Int { cache.missing }
  /// What the sealed units of the cache hold.
  package var cacheInfo: CacheInfo { cache.info }

  package func logits(_ batch: ViewBatch) throws -> TeacherLogits {
    try evaluate(batch.keys.map { stored.storedKey($0, tap: nil) })
    return try stored.logits(batch)
  }

  package func features(_ batch: ViewBatch, taps: Set<String>) throws -> [String: Tensor] {
    for tap in taps { try evaluate(batch.keys.map { stored.storedKey($0, tap: tap) }) }
    return try stored.features(batch, taps: taps)
  }

  package func prove(_ batch: ViewBatch) throws { _ = try logits(batch) }

  /// Evaluates everything that no training step came upon.
  ///
  /// - Parameters:
  ///   - batchSize: views a pass, at most.
  ///   - afterBatch: called with the number of views still missing; may throw to stop, what was
  ///     evaluated is kept.
  package func finish(batchSize: Int, afterBatch: (Int) throws -> Void) throws {
    var missing = cache.missing
    while true {
      let keys = cache.nextLacking(limit: batchSize)
      if keys.isEmpty { return }
      for batch in TeacherPass.batches(of: keys.count, atMost: batchSize) {
        try evaluate(Array(keys[batch]))
        missing -= batch.count
        try afterBatch(missing)
      }
    }
  }

  /// Runs the teacher on those of the views of which anything is lacking, once for all of it.
  private func evaluate(_ keys: [ViewKey]) throws {
    let work = keys.compactMap { key in cache.lacking(key).map { (key: key, wanted: $0) } }
    guard !work.isEmpty else { return }
    let output = try pass.run(work.map { $0.key }, keeping: Set(work.flatMap { $0.wanted.taps }))
    for (row, (key, wanted)) in work.enumerated() {
      try cache.add(output.record(row, wanted), image: key.image, label: labels[key.image])
    }
  }
}
