import Foundation
import Networks
import Tensors

/// Measures one epoch's training time, without evaluation and checkpoints.
struct EpochMeter {
  /// What of an epoch is over: its images, how long they took, and how much of that the teacher's
  /// store cost.
  struct Part: Codable {
    var images = 0
    var seconds = 0.0
    var waited = 0.0
  }

  private let start = ContinuousClock.now
  private let before: Part
  /// Images whose time is not known.
  private let untimed: Int
  private let waitedBefore: Double?
  private var stopped: Double?
  private var waitedNow: Double?
  /// Images of the epoch so far.
  var images: Int

  /// - Parameters:
  ///   - waited: seconds that the teacher's store has cost this process so far; nil without one.
  ///   - images: those of the epoch that earlier processes trained on.
  ///   - before: what these took.
  init(waited: Double?, images: Int = 0, before: Part = Part()) {
    self.images = images
    self.before = before
    untimed = images - before.images
    waitedBefore = waited
  }

  mutating func stop(waited: Double?) {
    stopped = seconds
    waitedNow = waited
  }

  var seconds: Double { stopped ?? before.seconds + (ContinuousClock.now - start).seconds }

  var imagesPerSecond: Double { Double(images - untimed) / max(seconds, 1e-9) }

  /// Part of the time spent waiting for the cache; nil without one.
  var waitFraction: Double? {
    guard let waitedNow, let waitedBefore else { return nil }
    return (before.waited + waitedNow - waitedBefore) / max(seconds, 1e-9)
  }

  /// What is over after `waited` seconds for the teacher's store.
  func part(waited: Double?) -> Part {
    Part(
      images: images - untimed, seconds: seconds,
      waited: before.waited + (waited ?? 0) - (waitedBefore ?? 0))
  }
}

extension EpochMeter.Part {
  private static let key = "epoch_time"

  /// What a state holds; nothing in those of earlier versions.
  init(of state: SafeTensors) {
    let text = state.metadata[Self.key] ?? ""
    let part = (try? JSONDecoder().decode(Self.self, from: Data(text.utf8))) ?? Self()
    self = (0..<1 << 40).contains(part.images) ? part : Self()
  }

  /// For the metadata of a state.
  var metadata: [String: String] {
    get throws { [Self.key: String(decoding: try JSONEncoder().encode(self), as: UTF8.self)] }
  }
}
