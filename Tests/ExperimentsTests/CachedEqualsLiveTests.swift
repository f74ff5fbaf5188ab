import Datasets
import Experiments
import Foundation
import TestSupport
import Testing

/// The promise of the project: training from the cache and training with the live teacher on the
/// same views give the same bytes.
struct CachedEqualsLiveTests {
  @Test(arguments: MethodName.allCases.filter(\.needsTeacher).map(\.rawValue))
  func cachedTrainingGivesTheWeightsOfLiveTraining(method: String) throws {
    let job = try SmallJob()
    defer { job.remove() }
    try job.dump()
    let cached = try job.train(method, live: false, threads: 1, into: "cached-1")
    #expect(try job.train(method, live: false, threads: 2, into: "cached-2") == cached)
    #expect(try job.train(method, live: true, threads: 1, into: "live-1") == cached)
    #expect(try job.train(method, live: true, threads: 2, into: "live-2") == cached)
    // Training happened, and the method mattered.
    let other = try job.train("ce", live: false, threads: 2, into: "ce")
    #expect(other != cached)
    let last = try #require(try job.text("cached-1/metrics.jsonl").split(separator: "\n").last)
    let terms = try #require(
      JSONSerialization.jsonObject(with: Data(last.utf8)) as? [String: Any])
    let heard = terms.filter { Self.teachersTerms.contains($0.key) }
    #expect(!heard.isEmpty)
    for (name, value) in heard { #expect((value as? Double ?? 0) > 0, "\(name)") }
  }

  /// The terms of a loss that a teacher is in.
  private static let teachersTerms: Set = [
    "kd", "tckd", "nckd", "bkd", "within_view", "cross_view", "mse",
  ]

  @Test func everyCropInTheCacheGivesTheWeightsOfFreshWeakViews() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump(views: "weak:all", features: "weak:all") { $0.form.taps = [] }
    let cached = try job.train("kd", live: false, threads: 2, into: "cached", epochs: 5)
    let live = try job.train(
      "kd", live: true, threads: 2, into: "live", epochs: 5, flags: [("views", "weak:5")])
    #expect(cached == live)
  }

  /// Crops with flips, of which digits have none.
  @Test(.enabled(if: Files.cifar != nil, "needs CIFAR_ROOT or .build/reference-data"))
  func everyCropOfColourImagesGivesTheWeightsOfFreshViews() throws {
    let job = try SmallJob(images: 12, dataset: .cifar10, data: #require(Files.cifar).path)
    defer { job.remove() }
    try job.dump(views: "weak:all,strong:2", features: "weak:all") { $0.form.taps = [] }
    let cached = try job.train("crld", live: false, threads: 2, into: "cached", epochs: 4)
    let live = try job.train(
      "crld", live: true, threads: 1, into: "live", epochs: 4,
      flags: [("views", "weak:4,strong:2")])
    #expect(cached == live)
  }

  @Test func plainViewsWorkFromTheCacheToo() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump(views: "plain", features: "plain")
    for method in ["sskd", "crld"] {
      let flags = [(key: "augment", value: "none")]
      let cached = try job.train(
        method, live: false, threads: 2, into: "\(method)-cached", flags: flags)
      let live = try job.train(
        method, live: true, threads: 2, into: "\(method)-live", flags: flags + [("views", "plain")])
      #expect(cached == live, "\(method)")
    }
  }

  @Test func stageByStageVariantsTrainFromTheCache() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump()
    let base = try job.train("sskd", live: false, threads: 2, into: "base")
    for setting in ["sskd.joint=true", "sskd.freeze=false", "sskd.norm=std"] {
      let cached = try job.train(
        "sskd", live: false, threads: 2, into: "cached-\(setting)", sets: [setting])
      let live = try job.train(
        "sskd", live: true, threads: 1, into: "live-\(setting)", sets: [setting])
      #expect(cached == live, "\(setting)")
      #expect(cached != base, "\(setting)")
    }
  }

  @Test func aStoppedDumpGoesOnToTheSameRun() throws {
    let job = try SmallJob()
    defer { job.remove() }
    var batches = 0
    let stopAtTheSecondBatch = {
      batches += 1
      return batches == 2
    }
    #expect(throws: Stopped.self) {
      try job.dump(change: { $0.batchSize = 64 }, shouldStop: stopAtTheSecondBatch)
    }
    try job.dump { $0.batchSize = 16 }
    let resumed = try job.train("crld", live: false, threads: 2, into: "resumed")
    #expect(try job.train("crld", live: true, threads: 2, into: "live") == resumed)
  }
}
