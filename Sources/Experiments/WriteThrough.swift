import Datasets
import Distillation
package import Reporting
import Tensors

/// The teacher and the cache of a run that fills the cache while it trains. Data set, subset, views
/// and view seed are the run's own settings.
package struct WriteThroughRequest: Sendable {
  package let cache: String  // folder
  package let teacher: String  // path of a weight file
  package var architecture: String?
  package var mean: [Float]?
  package var std: [Float]?
  package var form = StorageForm()

  package init(cache: String, teacher: String) {
    self.cache = cache
    self.teacher = teacher
  }

  /// The dump that leaves the same cache.
  func dump(_ settings: Settings, views: ViewSet) -> DumpRequest {
    var request = DumpRequest(
      dataset: settings.dataset, dataPath: "", teacher: teacher, views: views, cache: cache)
    request.subset = settings.subset
    request.viewSeed = settings.viewSeed
    request.architecture = architecture
    request.mean = mean
    request.std = std
    request.form = form
    return request
  }
}

extension TrainingSession {
  /// Evaluates and seals what no training step of a run with write-through came upon; nothing in
  /// other runs.
  ///
  /// - Parameter shouldStop: asked after every batch; true keeps what was evaluated and throws
  ///   ``Stopped``; the same command goes on from there.
  /// - Returns: the number of views evaluated here.
  @discardableResult
  package func finishCache(progress: ProgressLine, shouldStop: () -> Bool) throws -> Int {
    guard let teacher = inputs.teacher as? WriteThroughTeacher else { return 0 }
    let total = teacher.missing
    let start = ContinuousClock.now
    try teacher.finish(batchSize: 128) { missing in
      progress.update {
        let rate = Double(total - missing) / (ContinuousClock.now - start).seconds
        return "filling the cache: \(grouped(missing)) views to go  \(Int(rate)) views/s  "
          + "\(durationText(Double(missing) / max(rate, 1e-9))) left"
      }
      if shouldStop() { throw Stopped() }
    }
    progress.clear()
    return total
  }
}
