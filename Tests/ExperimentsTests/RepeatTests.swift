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
      inputs: session.inputs, settings: session.configuration.settings, plan: session.plan,
      directory: directory, execution: execution, progress: ProgressLine(quiet: true))
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
