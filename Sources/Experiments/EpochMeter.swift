import Foundation
import Tensors

/// Measures one epoch's training time, without evaluation and checkpoints.
struct EpochMeter {
  private let start = ContinuousClock.now
  private let waitedBefore: Double?
  private let imagesBefore: Int
  private var stopped: Double?
  private var waitedSince: Double?
  /// Images of the epoch so far.
  var images = 0

  /// - Parameters:
  ///   - waited: seconds that the teacher's store has cost so far; nil without one.
  ///   - imagesBefore: images of the epoch that an earlier process trained on.
  init(waited: Double?, imagesBefore: Int) {
    waitedBefore = waited
    self.imagesBefore = imagesBefore
  }

  mutating func stop(waited: Double?) {
    stopped = seconds
    if let waited, let waitedBefore { waitedSince = waited - waitedBefore }
  }

  var seconds: Double {
    if let stopped { return stopped }
    return (ContinuousClock.now - start).seconds
  }

  var imagesPerSecond: Double { Double(images - imagesBefore) / max(seconds, 1e-9) }
  /// Part of the time spent waiting for the cache; nil without one.
  var waitFraction: Double? { waitedSince.map { $0 / max(seconds, 1e-9) } }
}
