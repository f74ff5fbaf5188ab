import Datasets
import Distillation
import Experiments
import Foundation
import Networks
import Reporting
import Tensors
import Testing

/// Runs with the options of a trainer: they resume to the same bytes, write what they promise, and
/// are refused where they would do nothing.
struct TrainingOptionTests {
  private static let everything = [
    "schedule=cosine", "min_lr=0.001", "nesterov=true", "label_smoothing=0.1", "ema_decay=0.9",
    "val_fraction=0.2",
  ]

  private func files(_ job: SmallJob, _ run: String) throws -> [Weights] {
    try ["last", "ema"].map {
      Weights(
        bytes: try Data(
          contentsOf: URL(fileURLWithPath: "\(job.folder)/\(run)/\($0).safetensors")))
    }
  }

  private func json(_ text: some StringProtocol) throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  @Test(arguments: ["kd", "sskd"])
  func aRunWithEveryOptionStoppedAnywhereGoesOnToTheSameBytes(method: String) throws {
    let job = try SmallJob(images: 80)
    defer { job.remove() }
    try job.dump()
    // SSKD's rate drops by steps of its own.
    let sets = method == "sskd" ? Array(Self.everything.dropFirst(2)) : Self.everything
    try job.train(method, live: false, threads: 2, into: "whole", epochs: 3, sets: sets)
    let whole = try files(job, "whole")
    #expect(whole[0] != whole[1])
    for stop in [1, 2, 3, 5] {
      job.stop(after: stop, method, into: "cut-\(stop)", epochs: 3, sets: sets)
      try job.train(method, live: false, threads: 1, into: "cut-\(stop)", epochs: 3, sets: sets)
      let same = try files(job, "cut-\(stop)") == whole
      #expect(same, "stopped after step \(stop)")
    }
  }

  @Test(arguments: [
    "schedule=cosine", "nesterov=true", "label_smoothing=0.1", "val_fraction=0.2",
    "crld.base=dkd",
  ])
  func everyOptionChangesTheWeights(option: String) throws {
    let job = try SmallJob(images: 80)
    defer { job.remove() }
    try job.dump()
    let method = option.hasPrefix("crld") ? "crld" : "kd"
    let plain = try job.train(method, live: false, threads: 2, into: "plain")
    let changed = try job.train(method, live: false, threads: 2, into: "changed", sets: [option])
    let isSame = plain == changed
    #expect(!isSame)
  }

  @Test func theAverageLeavesTheTrainingAlone() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump()
    let plain = try job.train("kd", live: false, threads: 2, into: "plain")
    let averaged = try job.train(
      "kd", live: false, threads: 2, into: "averaged", sets: ["ema_decay=0.5"])
    let isSame = plain == averaged
    #expect(isSame)
    let network = try LoadedNetwork(
      weights: job.folder + "/averaged/ema.safetensors",
      info: try job.session("kd", live: false, execution: Execution(threads: 1)).inputs.data.info)
    #expect(network.network.architecture == "resnet8")
  }

  @Test func theBestEpochIsChosenOnWhatWasSetAside() throws {
    let job = try SmallJob(images: 80)
    defer { job.remove() }
    try job.dump()
    let execution = Execution(threads: 2)
    let session = try job.session(
      "ce", live: false, execution: execution, sets: ["val_fraction=0.25"])
    let (training, validation) = (session.inputs.images, session.inputs.validation)
    #expect(training.count + validation.count == 80)
    #expect(Set(training).isDisjoint(with: validation))
    #expect(session.inputs.classCounts.reduce(0, +) == training.count)
    // What is set aside makes no class a rarer one.
    #expect(session.inputs.subsetCounts.reduce(0, +) == 80)
    try job.train(
      "ce", live: false, threads: 2, into: "run", epochs: 4,
      sets: ["val_fraction=0.25", "ema_decay=0.5"], flags: [("eval_every", "1"), ("lr", "0.05")])
    let lines = try job.text("run/metrics.jsonl").split(separator: "\n").map { try json($0) }
    let accuracies = try lines.map { line in
      (try #require(line["val_top1"] as? Double), try #require(line["test_top1"] as? Double))
    }
    #expect(lines.allSatisfy { $0["ema_test_top1"] is Double })
    let best = try #require(accuracies.map(\.0).max())
    let summary = try json(job.text("run/summary.json"))
    #expect(summary["best_selected_on"] as? String == "validation")
    let test = try #require(RunRecord(directory: job.folder + "/run").evaluation.test)
    #expect(test.trainingImages == session.inputs.subsetCounts)
    #expect(summary["training_images"] as? Int == training.count)
    #expect(summary["validation_images"] as? Int == validation.count)
    #expect(summary["val_top1_best"] as? Double == best)
    #expect(summary["test_top1_best"] as? Double == accuracies.first { $0.0 == best }?.1)
    #expect(summary["ema_test_top1_last"] as? Double == lines[3]["ema_test_top1"] as? Double)
    // Of the same epoch: not chosen on the test set either, where another one is best.
    let chosen = try #require(accuracies.firstIndex { $0.0 == best })
    let averages = lines.compactMap { $0["ema_test_top1"] as? Double }
    #expect(averages[chosen] < averages.max() ?? 0)
    #expect(summary["ema_test_top1_best"] as? Double == averages[chosen])
    // The test set has as many images of each class; what is set aside of a long tail has not.
    let said = try answers(job.folder + "/run/last.safetensors", session.inputs, validation)
    var hits: [Int: [Double]] = [:]
    for (label, predicted) in zip(said.labels, said.predicted) {
      hits[label, default: []].append(label == predicted ? 100 : 0)
    }
    let means = hits.values.map { $0.reduce(0, +) / Double($0.count) }
    let mean = means.reduce(0, +) / Double(means.count)
    #expect(abs(mean - said.accuracy.top1) > 1e-6)
    #expect(abs(try #require(summary["val_top1_last"] as? Double) - mean) < 1e-9)
  }

  private func answers(
    _ weights: String, _ inputs: TrainingInputs, _ images: [Int]
  ) throws -> Predictions {
    let info = inputs.data.info
    let loaded = try LoadedNetwork(weights: weights, info: info)
    return try predict(
      loaded.network, images.map { ViewKey(image: $0, view: .plain) },
      renderer: ViewRenderer(images: inputs.data.train, info: info, seed: 0),
      normalization: loaded.normalization, execution: Execution(threads: 2))
  }

  @Test func withoutASetAsideTheBestEpochIsThatOfTheTestSet() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump()
    try job.train("kd", live: false, threads: 2, into: "run")
    let summary = try json(job.text("run/summary.json"))
    #expect(summary["best_selected_on"] as? String == "test")
    #expect(summary["val_top1_best"] == nil && summary["ema_test_top1_last"] == nil)
    #expect(!FileManager.default.fileExists(atPath: job.folder + "/run/ema.safetensors"))
  }

  @Test(arguments: ["focal", "la", "ldam"])
  func longTailBaselinesTrainWithoutATeacher(method: String) throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    let student = method == "ldam" ? "resnet20_s_normed" : "resnet8"
    var sets = ["warmup_epochs=0", "milestones=none"]
    if method == "ldam" { sets.append("ldam.reweight_from_epoch=1") }
    let weights = try job.train(
      method, live: true, threads: 2, into: "run", sets: sets, flags: [("student", student)])
    let again = try job.train(
      method, live: true, threads: 1, into: "again", sets: sets, flags: [("student", student)])
    let isSame = weights == again
    #expect(isSame)
    let line = try json(try #require(job.text("run/metrics.jsonl").split(separator: "\n").last))
    #expect(line[method] as? Double == line["loss"] as? Double)
  }

  @Test func classWeightsOfCrossEntropyComeOnInTheirEpoch() throws {
    let job = try SmallJob(images: 40)  // not equally many of each class
    defer { job.remove() }
    func train(_ name: String, _ sets: String...) throws -> Weights {
      try job.train("ce", live: true, threads: 2, into: name, epochs: 2, sets: sets)
    }
    let plain = try train("plain")
    let late = try train("late", "ce.beta=0.9999", "ce.reweight_from_epoch=2")
    let deferred = try train("deferred", "ce.beta=0.9999", "ce.reweight_from_epoch=1")
    let whole = try train("whole", "ce.beta=0.9999")
    #expect(
      [late == plain, deferred == plain, whole == plain, whole == deferred] == [
        true, false, false, false,
      ])
  }

  @Test func marginsNeedAStudentThatGivesCosines() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    #expect {
      try job.session("ldam", live: true, execution: Execution(threads: 1))
    } throws: { error in
      (error as? SettingError)?.kind == .usage && "\(error)".contains("resnet32_s_normed")
    }
  }

  /// Below 1 they are nearly flat at every temperature: neither a student that is trained by another
  /// loss nor a teacher may give them.
  @Test func cosinesAreNoLogits() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    let student = [(key: "student", value: "resnet20_s_normed")]
    let execution = Execution(threads: 1)
    for method in ["ce", "kd", "sskd"] {
      #expect {
        try job.session(method, live: true, execution: execution, flags: student)
      } throws: { error in
        (error as? SettingError)?.kind == .usage && "\(error)".contains("only ldam")
      }
    }
    let network = try Architecture.make("resnet20_s_normed", classes: 10)
    network.initialize(seed: 1)
    try network.state(metadata: ["architecture": "resnet20_s_normed"]).write(to: job.teacher)
    for attempt in [
      { _ = try job.dump() }, { _ = try job.session("kd", live: true, execution: execution) },
    ] {
      #expect {
        try attempt()
      } throws: { error in
        (error as? NetworkError)?.kind == .mismatch && "\(error)".contains("no logits")
      }
    }
    #expect(!FileManager.default.fileExists(atPath: job.folder + "/cache"))
  }

  @Test func aCheckpointOnRequestChangesNothing() throws {
    let job = try SmallJob(images: 80)
    defer { job.remove() }
    try job.dump()
    let whole = try job.train("kd", live: false, threads: 2, into: "whole")
    let execution = Execution(threads: 2)
    let session = try job.session("kd", live: false, execution: execution)
    let directory = try RunDirectory(
      job.folder + "/saved", configuration: session.configuration)
    let run = try TrainingRun(
      session, directory: directory, execution: execution, progress: .init(quiet: true))
    var steps = 0
    var found: [String?] = []
    _ = try run.train(
      shouldSave: {
        steps += 1
        return steps == 4
      },
      shouldStop: {
        found.append(try? SafeTensors.read(directory.statePath).metadata["step"])
        return false
      })
    // Epochs save after steps 3 and 6; the one on request comes after the fourth was asked about. Ten
    // batches of the test set come before the last.
    #expect(found == [nil, nil, "3", "3"] + Array(repeating: "4", count: 11) + ["6"])
    let last = Weights(bytes: try Data(contentsOf: URL(fileURLWithPath: directory.lastWeights)))
    let isSame = last == whole
    #expect(isSame)
  }

  /// A state whose weights are finite but whose next step cannot be.
  @Test func whatIsNotFiniteNeverReplacesTheLastCheckpoint() throws {
    let job = try SmallJob(images: 80)
    defer { job.remove() }
    try job.dump()
    job.stop(after: 4, "kd", into: "run")
    let path = job.folder + "/run/state.safetensors"
    var state = try SafeTensors.read(path)
    let weight = try #require(state.tensors["weights.bn1.weight"])
    state.tensors["weights.bn1.weight"] = StateTensor(
      weight.floats.map { $0 * 3e38 }, shape: weight.shape)
    state.metadata["content"] = nil
    state.metadata["content"] = state.contentHash
    try state.write(to: path)
    let contents = {
      try ["state", "last"].map {
        Weights(
          bytes: try Data(
            contentsOf: URL(fileURLWithPath: "\(job.folder)/run/\($0).safetensors")))
      }
    }
    let before = try contents()
    #expect {
      try job.train("kd", live: false, threads: 2, into: "run")
    } throws: { error in
      let text = "\(error)"
      return error is Divergence && text.contains("step 5 (epoch 2)")
        && text.contains("holds images") && text.contains("before epoch 2, step 2")
        && text.contains(path)
    }
    let same = try contents() == before
    #expect(same)
    for totals in ["{}", "[", "{\"sums\":7}"] {
      state.metadata["totals"] = totals
      state.metadata["content"] = nil
      state.metadata["content"] = state.contentHash
      try state.write(to: path)
      #expect(throws: StateError.self) {
        try job.train("kd", live: false, threads: 2, into: "run")
      }
    }
  }

  @Test func runningStatisticsThatOverflowAreNotSaved() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump()
    let execution = Execution(threads: 1)
    let session = try job.session("kd", live: false, execution: execution)
    let directory = try RunDirectory(
      job.folder + "/run", configuration: session.configuration)
    let run = try TrainingRun(
      session, directory: directory, execution: execution, progress: .init(quiet: true))
    #expect {
      _ = try run.train {
        // The loss of a training pass does not look at them.
        session.inputs.student.buffers.first { $0.name == "bn1.running_var" }?.values[3] = .infinity
        return true
      }
    } throws: { error in
      "\(error)".contains("bn1.running_var is not finite")
        && "\(error)".contains("no checkpoint was written before")
    }
    #expect(!FileManager.default.fileExists(atPath: directory.statePath))
  }
}
