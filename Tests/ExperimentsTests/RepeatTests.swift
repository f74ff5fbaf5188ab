import Datasets
import Experiments
import Foundation
import Reporting
import TeacherCache
import Tensors
import Testing

/// A run's config.yaml as a recipe: the same weights, bit for bit.
struct RepeatTests {
  private func train(
    _ job: SmallJob, _ choice: TeacherChoice, into name: String, initial: String? = nil,
    flags: [(key: String, value: String)] = [], recipe: String? = nil
  ) throws -> (weights: Weights, notes: [String]) {
    let execution = Execution(threads: 2)
    let session = try TrainingSession(
      teacher: choice, dataPath: SmallJob.data, initialWeights: initial, flags: flags, sets: [],
      recipe: recipe.map { try Recipe.read("\(job.folder)/\($0)") }, execution: execution)
    let directory = try RunDirectory("\(job.folder)/\(name)", configuration: session.configuration)
    let run = try TrainingRun(
      session, directory: directory, execution: execution, progress: ProgressLine(quiet: true))
    _ = try run.train { false }
    let bytes = try Data(contentsOf: URL(fileURLWithPath: directory.lastWeights))
    return (Weights(bytes: bytes), session.notes)
  }

  private func flags(_ job: SmallJob, _ method: String) -> [(key: String, value: String)] {
    [
      ("method", method), ("student", method == "ldam" ? "resnet20_s_normed" : "resnet8"),
      ("epochs", "2"), ("batch_size", "32"),
      ("lr", "0.0123"), ("subset", job.subset), ("eval_every", "1000"), ("seed", "7"),
    ]
  }

  @Test(arguments: MethodName.allCases)
  func theConfigurationOfARunRepeatsIt(method: MethodName) throws {
    let job = try SmallJob(images: 64)
    defer { job.remove() }
    try job.dump()
    let cache = TeacherChoice.cache(job.folder + "/cache")
    let first = try train(job, cache, into: "first", flags: flags(job, method.rawValue))
    // The cache goes on growing; a run of its own would now see more views.
    try job.dump(views: "weak:4,strong:3", features: "weak:4")
    let again = try train(job, cache, into: "again", recipe: "first/config.yaml")
    #expect(again.weights == first.weights)
    #expect(again.notes.contains { $0.contains("does not repeat") } == false)
    let same = try job.text("first/config.yaml") == job.text("again/config.yaml")
    #expect(same)
  }

  /// An interrupted run goes on with the views it began with, though its cache has more by then.
  @Test(arguments: ["crld", "sskd"])
  func theSameCommandGoesOnWhenTheCacheHasGrown(method: String) throws {
    let job = try SmallJob(images: 64)
    defer { job.remove() }
    try job.dump()
    let whole = try job.train(method, live: false, threads: 2, into: "whole", epochs: 4)
    var steps = 0
    let stopInTheSecondEpoch = {
      steps += 1
      return steps == 3
    }
    #expect(throws: Stopped.self) {
      try job.train(
        method, live: false, threads: 2, into: "run", epochs: 4, shouldStop: stopInTheSecondEpoch)
    }
    try job.dump(views: "weak:4,strong:3", features: "weak:4")
    let resumed = try job.train(method, live: false, threads: 2, into: "run", epochs: 4)
    #expect(resumed == whole)
    let (began, ended) = (try job.text("whole/config.yaml"), try job.text("run/config.yaml"))
    #expect(began == ended)
  }

  /// The views of a run are taken over; what somebody asked for is not, nor the views of a run from
  /// another cache.
  @Test func whatWasAskedForIsNotTakenOver() throws {
    let job = try SmallJob(images: 64)
    defer { job.remove() }
    try job.dump()
    try job.train("sskd", live: false, threads: 2, into: "run", epochs: 4)
    let execution = Execution(threads: 1)
    func field(_ sets: [String]) throws -> String? {
      let session = try job.session(
        "sskd", live: false, execution: execution, epochs: 4, sets: sets, into: "run")
      do {
        _ = try RunDirectory(job.folder + "/run", configuration: session.configuration)
        return nil
      } catch let error as RunError {
        return error.description
      }
    }
    #expect(try field([]) == nil)
    #expect(try field(["sskd.feature_rounds=1"])?.contains("sskd.feature_rounds = 2") == true)
    try FileManager.default.removeItem(atPath: job.folder + "/cache")
    try job.dump(views: "weak:4", features: "weak:1") { $0.viewSeed = 3 }
    let other = try job.session(
      "sskd", live: false, execution: execution, epochs: 4, into: "run")
    #expect(other.configuration.settings.featureRounds == 1)
  }

  @Test func featuresOfPlainViewsAreSaidAndRepeated() throws {
    let job = try SmallJob(images: 64)
    defer { job.remove() }
    try job.dump(views: "plain,weak:2", features: "plain")
    let cache = TeacherChoice.cache(job.folder + "/cache")
    let first = try train(job, cache, into: "first", flags: flags(job, "sskd"))
    #expect(first.notes.contains { $0.contains("plain views only") }, "\(first.notes)")
    #expect(try job.text("first/config.yaml").contains("feature_rounds: 0"))
    try job.dump(views: "plain,weak:2", features: "weak:2")
    let again = try train(job, cache, into: "again", recipe: "first/config.yaml")
    #expect(again.weights == first.weights)
  }

  @Test func roundsOfFeaturesDoNotGoWithAllCrops() throws {
    let job = try SmallJob(images: 8)
    defer { job.remove() }
    try job.dump(views: "weak:all", features: "weak:all")
    let execution = Execution(threads: 1)
    #expect(
      try job.session("sskd", live: false, execution: execution, epochs: 4).configuration.settings
        .featureRounds == nil)
    #expect {
      try job.session(
        "sskd", live: false, execution: execution, epochs: 4, sets: ["sskd.feature_rounds=2"])
    } throws: {
      ($0 as? SettingError)?.description.contains("weak:all") == true
    }
  }

  @Test func aRecipeOfAnotherDataSetIsSaid() throws {
    let job = try SmallJob(images: 32)
    defer { job.remove() }
    try job.dump()
    try Data("method: kd\nstudent: resnet8\ndataset: cifar100\nepochs: 1\nmilestones: none\n".utf8)
      .write(to: URL(fileURLWithPath: job.folder + "/recipe.yaml"))
    let cache = TeacherChoice.cache(job.folder + "/cache")
    let run = try train(
      job, cache, into: "run", flags: [("subset", job.subset)], recipe: "recipe.yaml")
    #expect(run.notes.contains { $0.contains("cifar100") && $0.contains("mnist") })
    #expect(!run.notes.contains { $0.contains("is for kd") })
    let flags = [(key: "subset", value: job.subset), (key: "method", value: "ce")]
    let other = try train(job, cache, into: "other", flags: flags, recipe: "recipe.yaml")
    #expect(other.notes.contains { $0.contains("is for kd; this run is ce") })
    let own = try train(job, cache, into: "own", recipe: "run/config.yaml")
    #expect(own.notes == [])
  }

  @Test(arguments: [("weak:1", true), ("weak:2", false)])
  func featuresOfOneRoundAreSaid(features: String, isSaid: Bool) throws {
    let job = try SmallJob(images: 32)
    defer { job.remove() }
    try job.dump(features: features)
    let session = try job.session(
      "sskd", live: false, execution: Execution(threads: 1), epochs: 8)
    #expect(session.notes.contains { $0.contains("one round only") } == isSaid)
  }

  @Test func aCacheThatIsStillBeingFilledIsSaid() throws {
    let job = try SmallJob(images: 96)
    defer { job.remove() }
    try job.dump(views: "weak:2")
    let cache = TeacherChoice.cache(job.folder + "/cache")
    let flags: [(key: String, value: String)] = [
      ("method", "kd"), ("student", "resnet8"), ("epochs", "1"), ("milestones", "none"),
    ]
    #expect(try train(job, cache, into: "full", flags: flags).notes == [])
    var batches = 0
    let stop = {
      batches += 1
      return batches == 2
    }
    #expect(throws: Stopped.self) { try job.dump(views: "weak:6", shouldStop: stop) }
    let notes = try train(job, cache, into: "part", flags: flags).notes
    #expect(notes.count == 1 && notes.first?.contains("1 unfinished") == true, "\(notes)")
  }

  @Test func aRunWithALiveTeacherAndGivenWeightsIsRepeated() throws {
    let job = try SmallJob(images: 64)
    defer { job.remove() }
    let live = TeacherChoice.live(job.teacher, architecture: nil, mean: nil, std: nil)
    let flags =
      flags(job, "crld") + [
        ("dataset", "mnist"), ("view_seed", "9"), ("mean", "0.4"), ("std", "0.5"),
      ]
    let first = try train(job, live, into: "first", initial: job.teacher, flags: flags)
    let again = try train(
      job, live, into: "again", initial: job.teacher, recipe: "first/config.yaml")
    #expect(again.weights == first.weights)
    // Without those weights it is another run, and that is said.
    let other = try train(job, live, into: "other", recipe: "first/config.yaml")
    #expect(other.notes.contains { $0.contains("initial_weights") })
  }
}
