import Datasets
import Distillation
import Experiments
import Foundation
import Reporting
import TeacherCache
import Tensors
import Testing

/// The first student of a cache trains while the cache is filled.
struct WriteThroughTests {
  /// The settings of a run that writes through.
  struct Run {
    var method = "kd"
    var codec = LogitCodec.q8
    var precision = FeaturePrecision.fp16
    var taps: [String] = []
    var featureViews = "weak:1"
    var views: String?
    var epochs = 2
  }

  private func session(
    _ job: SmallJob, _ run: Run, threads: Int = 2, into name: String? = nil
  ) throws -> TrainingSession {
    var request = WriteThroughRequest(cache: job.folder + "/cache", teacher: job.teacher)
    request.form.logits = run.codec
    request.form.featurePrecision = run.precision
    request.form.taps = run.taps
    request.form.featureViews = try ViewSet(parsing: run.featureViews)
    var flags = [
      ("method", run.method), ("student", "resnet8"), ("epochs", String(run.epochs)),
      ("batch_size", "32"), ("lr", "0.02"), ("subset", job.subset), ("eval_every", "1000"),
      ("dataset", "mnist"),
    ]
    if let views = run.views { flags.append(("views", views)) }
    return try TrainingSession(
      teacher: .writeThrough(request), dataPath: SmallJob.data, initialWeights: nil,
      flags: flags.map { (key: $0.0, value: $0.1) }, sets: [], recipe: nil,
      execution: Execution(threads: threads), output: name.map { "\(job.folder)/\($0)" })
  }

  /// Trains and completes the cache, as the command does.
  private func train(
    _ job: SmallJob, _ run: Run, into name: String, shouldStop: () -> Bool = { false }
  ) throws -> Weights {
    let session = try session(job, run, into: name)
    let directory = try RunDirectory("\(job.folder)/\(name)", configuration: session.configuration)
    if case .finished = directory.progress {
      try session.finishCache(progress: ProgressLine(quiet: true), shouldStop: shouldStop)
    } else {
      let training = try TrainingRun(
        session, directory: directory, execution: Execution(threads: 2),
        progress: ProgressLine(quiet: true))
      _ = try training.train(shouldStop: shouldStop)
    }
    return Weights(bytes: try Data(contentsOf: URL(fileURLWithPath: directory.lastWeights)))
  }

  /// The content hash of a dump with the same flags.
  private func dumped(_ job: SmallJob, _ run: Run, views: String) throws -> String {
    try job.dump(views: views, features: run.featureViews) {
      $0.form.logits = run.codec
      $0.form.taps = run.taps
      $0.form.featurePrecision = run.precision
      $0.cache = job.folder + "/dumped"
    }
    return try CacheReader.open(job.folder + "/dumped").contentHash
  }

  private func contentHash(_ job: SmallJob) throws -> String {
    try CacheReader.open(job.folder + "/cache").contentHash
  }

  private static let stages = ["stage1", "stage2", "stage3"]

  @Test(arguments: [
    (Run(), "weak:2"), (Run(method: "dkd", codec: .fp16, epochs: 3), "weak:3"),
    (Run(method: "bkd", codec: .coarse), "weak:2"),
    (Run(method: "crld", codec: .q8, views: "weak:2,strong:3", epochs: 4), "weak:2,strong:3"),
    (
      Run(method: "sskd", precision: .q8, taps: stages, featureViews: "weak:2", epochs: 3),
      "weak:3"
    ),
  ])
  func aLaterCachedRunGivesTheSameBytes(run: Run, views: String) throws {
    let job = try SmallJob(images: 80)
    defer { job.remove() }
    let first = try train(job, run, into: "first")
    let later = try job.train(
      run.method, live: false, threads: 1, into: "later", epochs: run.epochs)
    #expect(first == later)
    // The same folder as the first run's: the configurations are the same, so it is finished.
    let again = try job.session(
      run.method, live: false, execution: Execution(threads: 1), epochs: run.epochs)
    let directory = try RunDirectory(job.folder + "/first", configuration: again.configuration)
    guard case .finished = directory.progress else {
      Issue.record("the cached run is another configuration")
      return
    }
    #expect(try contentHash(job) == dumped(job, run, views: views))
    // The report of the first run tells of the whole cache, and prices nothing: some of the
    // teacher's work is in its time.
    let evaluation = try RunRecord(directory: job.folder + "/first").evaluation
    #expect(evaluation.cache?.records == (try CacheReader.open(job.folder + "/cache")).info.records)
    #expect(evaluation.cost == nil)
    _ = try CacheReader.verify(job.folder + "/cache")
  }

  @Test(arguments: ["kd", "crld", "sskd"])
  func exactStorageGivesTheBytesOfTheLiveTeacher(method: String) throws {
    let job = try SmallJob(images: 64)
    defer { job.remove() }
    let run = Run(
      method: method, codec: .fp32, precision: .fp32,
      taps: method == "sskd" ? Self.stages : [], featureViews: "weak:2",
      views: method == "crld" ? "weak:2,strong:2" : "weak:2")
    let first = try train(job, run, into: "first")
    #expect(try job.train(method, live: true, threads: 2, into: "live") == first)
  }

  @Test func aRunStoppedAnywhereGoesOnAndLosesNothing() throws {
    let job = try SmallJob(images: 80)  // three steps an epoch
    defer { job.remove() }
    let run = Run(method: "crld", views: "weak:2,strong:4", epochs: 3)
    let whole = try train(job, run, into: "whole")
    let hash = try contentHash(job)
    try FileManager.default.removeItem(atPath: job.folder + "/cache")
    for stop in [1, 3, 2] {  // after steps 1, 4 and 6 of 9
      var steps = 0
      #expect(throws: Stopped.self) {
        try train(job, run, into: "cut") {
          steps += 1
          return steps == stop
        }
      }
    }
    // The fourth strong round is nobody's; stopping while it is filled in is harmless too.
    var asked = 0
    #expect(throws: Stopped.self) {
      try train(job, run, into: "cut") {
        asked += 1
        return asked == 14  // after three steps and ten batches of the test set, the first here
      }
    }
    #expect(asked == 14)
    #expect(!FileManager.default.fileExists(atPath: job.folder + "/cut/summary.json"))
    #expect(try train(job, run, into: "cut") == whole)
    #expect(try contentHash(job) == hash)
  }

  @Test func anExistingCacheIsExtendedAndWhatItHoldsIsNotEvaluated() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump(views: "weak:3") {
      $0.form = StorageForm()
    }
    let run = Run(views: "weak:2,strong:1", epochs: 4)
    do {
      let opened = try session(job, run)
      let teacher = try #require(opened.inputs.teacher as? WriteThroughTeacher)
      #expect(teacher.missing == 40)  // the strong round
      #expect(opened.inputs.views == ViewSet(weak: 2, strong: 1))
      #expect(opened.notes.contains { $0.hasPrefix("40 views") })
    }
    let first = try train(job, run, into: "first")
    // What else the cache held makes no difference.
    try FileManager.default.removeItem(atPath: job.folder + "/cache")
    #expect(try train(job, run, into: "alone") == first)
  }

  /// The cache may get more views before the run goes on; and one that lacks nothing is only read.
  @Test(arguments: ["kd", "sskd"])
  func theSameCommandGoesOnWhenTheCacheHasGrown(method: String) throws {
    let job = try SmallJob(images: 64)  // two steps an epoch
    defer { job.remove() }
    let run = Run(
      method: method, codec: .fp32, precision: .fp32, taps: Self.stages, featureViews: "weak:2",
      views: "weak:2", epochs: 4)
    let whole = try train(job, run, into: "whole")
    try FileManager.default.removeItem(atPath: job.folder + "/cache")
    var steps = 0
    #expect(throws: Stopped.self) {
      try train(job, run, into: "run") {
        steps += 1
        return steps == 5
      }
    }
    try job.dump(views: "weak:4", features: "weak:3")
    let other = try CacheWriter.open(
      job.folder + "/cache", identity: CacheReader.open(job.folder + "/cache").identity,
      kernelLevel: "test")
    defer { other.close() }
    #expect(try train(job, run, into: "run") == whole)
    // Finished: left alone, whoever writes there.
    #expect(try train(job, run, into: "run") == whole)
  }

  /// Without features of its own a run uses those that are there, and goes on with as many.
  @Test func featuresThatWereThereBeforeStayThoseOfTheRun() throws {
    let job = try SmallJob(images: 64)
    defer { job.remove() }
    let form: (inout DumpRequest) -> Void = { $0.form.featurePrecision = .fp16 }
    try job.dump(views: "weak:2", features: "weak:2", change: form)
    let run = Run(method: "sskd", codec: .fp32, views: "weak:2,strong:1", epochs: 4)
    let whole = try train(job, run, into: "whole")
    var steps = 0
    #expect(throws: Stopped.self) {
      try train(job, run, into: "run") {
        steps += 1
        return steps == 5
      }
    }
    try job.dump(views: "weak:4", features: "weak:4", change: form)
    #expect(try train(job, run, into: "run") == whole)
  }

  @Test func everyCropIsThereInTheEnd() throws {
    let job = try SmallJob(images: 20)
    defer { job.remove() }
    let run = Run(method: "bkd", codec: .fp32, views: "weak:all", epochs: 3)
    let first = try train(job, run, into: "first")
    let reader = try CacheReader.open(job.folder + "/cache")
    #expect(reader.info.views == ["crop": 25])
    #expect(reader.info.records == 20 * 25)
    #expect(try job.train("bkd", live: false, threads: 2, into: "later", epochs: 3) == first)
    let fresh = try job.train(
      "bkd", live: true, threads: 2, into: "fresh", epochs: 3, flags: [("views", "weak:3")])
    #expect(fresh == first)
  }

  @Test func oneWritesAtATime() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    let first = try session(job, Run())
    #expect {
      try session(job, Run())
    } throws: {
      if case CacheError.locked = $0 { true } else { false }
    }
    withExtendedLifetime(first) {}
  }

  @Test func whatCannotBeStoredSoIsRefusedBeforeAnythingIsWritten() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    for (run, says) in [
      (Run(method: "ce"), "listens to no teacher"),
      (Run(method: "sskd", views: "weak:2"), "--features stage1,stage2,stage3"),
      (Run(method: "crld", views: "weak:2"), "strong:N"),
      (Run(taps: ["stage1"], featureViews: "weak:5", views: "weak:2"), "--feature-views weak:5"),
      (Run(taps: ["stage9"]), "stage9"),
    ] {
      #expect {
        _ = try session(job, run)
      } throws: { error in
        let error = error as? SettingError
        return error?.kind == .usage && error?.description.contains(says) == true
      }
    }
    #expect(!FileManager.default.fileExists(atPath: job.folder + "/cache"))
  }
}
