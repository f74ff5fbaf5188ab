import Datasets
import Distillation
import Experiments
import Foundation
import Networks
import Reporting
import Tensors
import TestSupport
import Testing

/// What a run leaves: its best weights, its last ones, and the normalisation that belongs to them.
struct OutcomeTests {
  private func lines(_ job: SmallJob, _ run: String) throws -> [[String: Any]] {
    try job.text("\(run)/metrics.jsonl").split(separator: "\n").map { line in
      try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
  }

  private func accuracy(_ file: String) throws -> Double {
    let info = DatasetName.mnist.info
    let loaded = try LoadedNetwork(weights: file, info: info)
    return try predict(
      loaded.network, on: ImageDataset.load(.mnist, from: SmallJob.data).test, info: info,
      normalization: loaded.normalization, execution: Execution(threads: 2)
    ).accuracy.top1
  }

  /// A rate so high that the accuracies jump about.
  @Test func theBestWeightsAreThoseOfTheBestEpoch() throws {
    let job = try SmallJob()
    defer { job.remove() }
    try job.dump()
    try job.train(
      "ce", live: false, threads: 2, into: "run", epochs: 8,
      flags: [("eval_every", "1"), ("lr", "0.5")])
    let accuracies = try lines(job, "run").map { try #require($0["test_top1"] as? Double) }
    let (best, last) = (try #require(accuracies.max()), try #require(accuracies.last))
    #expect(try accuracy(job.folder + "/run/best.safetensors") == best)
    #expect(try accuracy(job.folder + "/run/last.safetensors") == last)
    let summary = try #require(
      JSONSerialization.jsonObject(with: Data(job.text("run/summary.json").utf8))
        as? [String: Any])
    #expect(summary["test_top1_best"] as? Double == best)
    #expect(summary["test_top1_last"] as? Double == last)
  }

  /// Confidences are those of the logits that LDAM trained, not of bare cosines.
  @Test func aNormalisedClassifiersAnswersAreScaledAsInTraining() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump()
    try job.train(
      "ldam", live: false, threads: 2, into: "run", epochs: 1, sets: ["ldam.scale=20"],
      flags: [("student", "resnet20_s_normed")])
    let file = job.folder + "/run/last.safetensors"
    #expect(try SafeTensors.read(file).metadata["logit_scale"] == "20.0")
    let info = DatasetName.mnist.info
    let loaded = try LoadedNetwork(weights: file, info: info)
    func said(_ scale: Float) throws -> Predictions {
      try predict(
        loaded.network, on: ImageDataset.load(.mnist, from: SmallJob.data).test, info: info,
        normalization: loaded.normalization, logitScale: scale, execution: Execution(threads: 2))
    }
    let (bare, scaled) = (try said(1), try said(loaded.logitScale))
    #expect(scaled.logits == bare.logits.map { $0 * 20 })
    let found = try #require(RunRecord(directory: job.folder + "/run").evaluation.test?.calibration)
    #expect(found == Calibration(confidences: scaled.confidence, correct: scaled.isCorrect))
    #expect(found != Calibration(confidences: bare.confidence, correct: bare.isCorrect))
    #expect(try LoadedNetwork(weights: job.teacher, info: info).logitScale == 1)
    for damaged in ["abc", "-3", "inf"] {
      var weights = try SafeTensors.read(file)
      weights.metadata["logit_scale"] = damaged
      let other = job.folder + "/damaged.safetensors"
      try weights.write(to: other)
      #expect(throws: NetworkError.self) { try LoadedNetwork(weights: other, info: info) }
    }
  }

  /// Flag, then the file of the initial weights, then the recipe, then the data set.
  @Test func theNormalisationIsTheNearestOneAndIsWrittenDown() throws {
    let job = try SmallJob(images: 8)
    defer { job.remove() }
    let (file, bare) = (job.teacher, job.folder + "/bare.safetensors")
    try untrainedTeacher(seed: 1).state().write(to: bare)
    try Data("method: ce\nstudent: resnet8\nmean: [0.4, 0.4, 0.4]\nstd: [0.5, 0.5, 0.5]\n".utf8)
      .write(to: URL(fileURLWithPath: job.folder + "/recipe.yaml"))
    let recipe = try Recipe.read(job.folder + "/recipe.yaml")
    let execution = Execution(threads: 1)
    func mean(
      initial: String?, recipe: Recipe?, flags: [(key: String, value: String)] = []
    ) throws -> String? {
      let session = try TrainingSession(
        teacher: .none, dataPath: SmallJob.data, initialWeights: initial,
        flags: [
          ("dataset", "mnist"), ("method", "ce"), ("student", "resnet8"), ("subset", job.subset),
          ("epochs", "1"), ("milestones", "none"), ("eval_every", "1000"),
        ] + flags, sets: [], recipe: recipe, execution: execution)
      let path = "\(job.folder)/\(UUID().uuidString)"
      let directory = try RunDirectory(path, configuration: session.configuration)
      _ = try TrainingRun(
        session, directory: directory, execution: execution, progress: ProgressLine(quiet: true)
      ).train { false }
      return try SafeTensors.read(directory.lastWeights).metadata["mean"]
    }
    let flag = [(key: "mean", value: "0.7,0.7,0.7")]
    #expect(try mean(initial: file, recipe: recipe, flags: flag) == "0.7,0.7,0.7")
    #expect(try mean(initial: file, recipe: recipe) == "0.2,0.2,0.2")
    #expect(try mean(initial: bare, recipe: recipe) == "0.4,0.4,0.4")
    #expect(try mean(initial: nil, recipe: nil) == "0.1307,0.1307,0.1307")
  }
}
