import Datasets
import Distillation
import Foundation
import Networks
package import Reporting
import TeacherCache
package import Tensors

/// A run that was asked to stop and saved where it is.
package struct Stopped: Error, Sendable {}

/// One run from its first or last saved step to its summary.
package final class TrainingRun {
  private let session: TrainingSession
  private let directory: RunDirectory
  private let trainer: Trainer
  private let execution: Execution
  private let progress: ProgressLine
  private var lastAccuracy: RunAccuracy?
  /// What the last evaluation took; 0 before the first.
  private var evaluationSeconds = 0.0
  /// The place of the checkpoint on disk; nil before the first.
  private var saved: (epoch: Int, step: Int)?

  private var inputs: TrainingInputs { session.inputs }
  private var settings: Settings { session.configuration.settings }

  package init(
    _ session: TrainingSession, directory: RunDirectory, execution: Execution,
    progress: ProgressLine
  ) throws {
    let inputs = session.inputs
    let settings = session.configuration.settings
    self.session = session
    self.directory = directory
    self.execution = execution
    self.progress = progress
    trainer = try Trainer(
      TrainingTask(
        student: inputs.student, plan: session.plan, teacher: inputs.teacher,
        renderer: ViewRenderer(
          images: inputs.data.train, info: inputs.data.info, seed: inputs.viewSeed),
        images: inputs.images, normalization: inputs.normalization,
        rounds: RoundSchedule(views: inputs.views, plain: settings.plainViews),
        featureRounds: RoundSchedule(
          featureViews: inputs.featureViews, plain: settings.plainViews),
        batchSize: settings.batchSize, momentum: Float(settings.momentum),
        weightDecay: Float(settings.weightDecay), seed: settings.seed,
        featureNorm: settings.sskd.norm, nesterov: settings.nesterov,
        averageDecay: settings.averageDecay), on: execution)
  }

  /// Trains to the end, fills the rest of a cache that is written through, and writes report and
  /// summary.
  ///
  /// - Parameters:
  ///   - shouldSave: asked after every step; true saves a checkpoint and goes on.
  ///   - shouldStop: asked after every step and every batch of the teacher or of an evaluation; true
  ///     saves a checkpoint and throws ``Stopped``.
  /// - Throws: `Divergence` when something is no longer a number; the files are then those of the
  ///   last checkpoint.
  package func train(
    shouldSave: () -> Bool = { false }, shouldStop: () -> Bool
  ) throws -> JSONValue {
    do {
      return try trainToTheEnd(shouldSave: shouldSave, shouldStop: shouldStop)
    } catch var divergence as Divergence {
      divergence.lastGood = lastGood
      throw divergence
    }
  }

  private func trainToTheEnd(shouldSave: () -> Bool, shouldStop: () -> Bool) throws -> JSONValue {
    var before = EpochMeter.Part()
    var isEvaluationLeft = false
    if case .started(let state) = directory.progress {
      try trainer.restore(state, path: directory.statePath)
      saved = (trainer.epoch, trainer.stepInEpoch)
      before = EpochMeter.Part(of: state)
      isEvaluationLeft = trainer.stepInEpoch == 0 && trainer.totals.images > 0
      progress.note(
        isEvaluationLeft
          ? "going on with the evaluation of epoch \(trainer.epoch)"
          : "going on from epoch \(trainer.epoch + 1), step \(trainer.stepInEpoch + 1)")
      let arithmetic = KernelLevel.arithmetic
      if let before = state.metadata[Trainer.arithmeticKey], before != arithmetic {
        progress.note(
          "note: the run was saved by \(before) and goes on with \(arithmetic), which rounds otherwise: "
            + "its weights may differ from those of a run on one machine")
      }
    }
    try directory.keepMetrics(epochs: trainer.epoch - (isEvaluationLeft ? 1 : 0))
    if let images = inputs.cachedImages { try RunImages.write(images, to: directory.path) }
    var meter = EpochMeter(
      waited: inputs.teacher?.secondsWaited, images: trainer.totals.images, before: before)
    if isEvaluationLeft { try finishEpoch(&meter, shouldStop: shouldStop) }
    while !trainer.isFinished {
      try trainer.trainOneStep()
      meter.images = trainer.totals.images
      if trainer.stepInEpoch == 0 {
        try finishEpoch(&meter, shouldStop: shouldStop)
      } else {
        progress.update { stepLine(meter) }
      }
      if shouldStop() {
        try save(meter.part(waited: inputs.teacher?.secondsWaited))
        throw Stopped()
      }
      if shouldSave() {
        try save(meter.part(waited: inputs.teacher?.secondsWaited))
        progress.note("saved before epoch \(trainer.epoch + 1), step \(trainer.stepInEpoch + 1)")
      }
    }
    // Only a run that was killed between its last checkpoint and this place has to look again.
    let accuracy = try lastAccuracy ?? evaluate(shouldStop)
    // Before the report, which says what the cache holds.
    try session.finishCache(progress: progress, shouldStop: shouldStop)
    let summary = try makeSummary(accuracy)
    let seconds = try trainingSeconds(directory.metrics())
    let assessment = RunAssessment(inputs: inputs, settings: settings, execution: execution)
    try directory.writeReport(
      assessment.evaluation(answers: accuracy.answers, trainingSeconds: seconds),
      summary: summary)
    try directory.writeSummary(summary)
    progress.clear()
    return summary
  }

  private func finishEpoch(_ meter: inout EpochMeter, shouldStop: () -> Bool) throws {
    let epoch = trainer.epoch  // that was just finished, from 1
    meter.stop(waited: inputs.teacher?.secondsWaited)
    try trainer.checkState()
    var accuracy: RunAccuracy?
    if isEvaluated(epoch) {
      do {
        accuracy = try evaluate(shouldStop)
      } catch let answer as NonFiniteAnswer {
        throw Divergence(
          what: "the answer to image \(answer.image) of the test set or of what was set aside",
          step: trainer.step, epoch: epoch, images: [])
      } catch let stopped as Stopped {
        // The run that goes on from here begins with the evaluation.
        try save(meter.part(waited: inputs.teacher?.secondsWaited))
        throw stopped
      }
      lastAccuracy = accuracy
    }
    let best = try directory.metrics().compactMap { $0.values[selection.key] }.max()
    if let top1 = accuracy?.deciding, top1 > best ?? -1 {
      try weights(inputs.student).write(to: directory.bestWeights)
    }
    try directory.appendMetrics(metricsLine(epoch, accuracy, meter))
    progress.note(epochLine(epoch, accuracy, meter))
    trainer.beginEpoch()
    try save(EpochMeter.Part())
    meter = EpochMeter(waited: inputs.teacher?.secondsWaited)
  }

  /// Whether the accuracy is looked at behind an epoch, counted from 1.
  private func isEvaluated(_ epoch: Int) -> Bool {
    let plan = trainer.task.plan
    let phase = plan.phases[plan.phaseIndex(at: epoch * plan.stepsPerEpoch - 1)]
    return phase.trainsLogits && (epoch % settings.evalEvery == 0 || epoch == plan.epochs)
  }

  private func evaluate(_ shouldStop: () -> Bool) throws -> RunAccuracy {
    let start = ContinuousClock.now
    defer { evaluationSeconds = (ContinuousClock.now - start).seconds }
    return try inputs.accuracy(average: trainer.average?.network, on: execution) { done, total in
      progress.update(done, of: total, "images", since: start)
      if shouldStop() { throw Stopped() }
    }
  }

  /// Seconds that the evaluations behind later epochs will take, if each is like the last.
  private func evaluationTime(after epoch: Int) -> Double {
    let epochs = trainer.task.plan.epochs
    return evaluationSeconds * Double((epoch..<epochs).count { isEvaluated($0 + 1) })
  }

  /// The state is what a resumed run reads; it is written last, so it never runs ahead.
  ///
  /// - Parameter time: what the epoch under way has taken.
  private func save(_ time: EpochMeter.Part) throws {
    try trainer.checkState()
    try weights(inputs.student).write(to: directory.lastWeights)
    if let average = trainer.average {
      try weights(average.network).write(to: directory.averageWeights)
    }
    try trainer.state(notes: time.metadata).write(to: directory.statePath)
    saved = (trainer.epoch, trainer.stepInEpoch)
  }

  /// Where a run that went wrong can be taken up.
  private var lastGood: String {
    guard let saved else { return "no checkpoint was written before" }
    return "the last good checkpoint, before epoch \(saved.epoch + 1), step \(saved.step + 1), is "
      + "\(directory.statePath) (weights: \(directory.lastWeights))"
  }

  /// The accuracy that `best` is chosen by.
  private var selection: (key: String, set: String) {
    inputs.validation.isEmpty ? ("test_top1", "test") : ("val_top1", "validation")
  }

  private func weights(_ network: Classifier) -> SafeTensors {
    let normalization = inputs.normalization
    var metadata = [
      "dataset": inputs.data.info.name.rawValue,
      "mean": normalization.mean.map { "\($0)" }.joined(separator: ","),
      "std": normalization.std.map { "\($0)" }.joined(separator: ","),
    ]
    if network.givesCosines { metadata[LoadedNetwork.logitScaleKey] = "\(inputs.logitScale)" }
    return network.state(metadata: metadata)
  }

  private func metricsLine(
    _ epoch: Int, _ accuracy: RunAccuracy?, _ meter: EpochMeter
  ) -> JSONValue {
    let totals = trainer.totals
    let terms = trainer.task.plan.termNames.map { ($0, JSONValue.optional(totals.mean($0))) }
    var members: [(String, JSONValue)] = [
      ("epoch", .integer(epoch)), ("lr", .number(trainer.learningRate)),
      ("loss", .number(totals.loss)),
    ]
    members += terms
    members += [
      ("train_top1", .optional(totals.top1)), ("test_top1", .optional(accuracy?.test.top1)),
      ("test_top5", .optional(accuracy?.test.top5)),
      ("images_per_second", .number(meter.imagesPerSecond)),
      ("cache_wait_fraction", .optional(meter.waitFraction)),
      ("seconds", .number(meter.seconds)), ("time", .number(Date().timeIntervalSince1970)),
    ]
    if !inputs.validation.isEmpty {
      members.append(("val_top1", .optional(accuracy?.validationTop1)))
    }
    if trainer.average != nil {
      members.append(("ema_test_top1", .optional(accuracy?.average?.top1)))
    }
    return .object(members)
  }

  private func makeSummary(_ accuracy: RunAccuracy) throws -> JSONValue {
    let metrics = try directory.metrics()
    let parameters = inputs.student.parameters.reduce(0) { $0 + $1.stateShape.reduce(1, *) }
    // The first of equal epochs, as best.safetensors is.
    func ofBestEpoch(_ value: String, by key: String) -> (deciding: Double, value: Double)? {
      metrics.reduce(nil) { best, line in
        guard let deciding = line.values[key], let found = line.values[value],
          deciding > best?.deciding ?? -.infinity
        else { return best }
        return (deciding, found)
      }
    }
    let best = ofBestEpoch("test_top1", by: selection.key)
    let seconds = trainingSeconds(metrics)
    var members: [(String, JSONValue)] = [
      ("method", .string(settings.method.rawValue)),
      ("student", .string(inputs.student.architecture)),
      ("epochs", .integer(settings.epochs)),
      ("parameters", .integer(parameters)),
      ("training_images", .integer(inputs.images.count)),
      ("test_top1_last", .number(accuracy.test.top1)),
      ("test_top5_last", .number(accuracy.test.top5)),
      ("test_top1_best", .number(best?.value ?? accuracy.test.top1)),
      ("best_selected_on", .string(selection.set)),
      ("many_top1", .optional(top1(accuracy, of: .many))),
      ("medium_top1", .optional(top1(accuracy, of: .medium))),
      ("few_top1", .optional(top1(accuracy, of: .few))),
      ("seconds", .number(seconds)),
      ("images_per_second", .number(Double(inputs.images.count * settings.epochs) / seconds)),
      ("cache_id", (inputs.cacheIdentity?.cacheID).map(JSONValue.string) ?? .null),
    ]
    if let top1 = accuracy.validationTop1 {
      members += [
        ("validation_images", .integer(inputs.validation.count)),
        ("val_top1_last", .number(top1)),
        ("val_top1_best", .number(best?.deciding ?? top1)),
      ]
    }
    if let average = accuracy.average {
      let best = ofBestEpoch(
        "ema_test_top1", by: accuracy.validation == nil ? "ema_test_top1" : selection.key)
      members += [
        ("ema_test_top1_last", .number(average.top1)),
        ("ema_test_top1_best", .number(best?.value ?? average.top1)),
      ]
    }
    return .object(members)
  }

  private func top1(_ accuracy: RunAccuracy, of group: ShotGroup) -> Double? {
    let counts = inputs.subsetCounts
    return accuracy.test.top1(
      ofClasses: counts.indices.filter { ShotGroup(trainingImages: counts[$0]) == group })
  }

  private func trainingSeconds(_ metrics: [EpochMetrics]) -> Double {
    metrics.compactMap { $0.values["seconds"] }.reduce(0, +)
  }

  private func stepLine(_ meter: EpochMeter) -> String {
    let plan = trainer.task.plan
    let rate = meter.imagesPerSecond
    let left =
      Double((plan.totalSteps - trainer.step) * settings.batchSize) / max(rate, 1e-9)
      + evaluationTime(after: trainer.epoch)
    return "epoch \(trainer.epoch + 1)/\(plan.epochs)  \(durationText(left)) left  "
      + "\(Int(rate)) images/s  loss \(String(format: "%.4f", trainer.totals.loss))  "
      + "step \(trainer.stepInEpoch)/\(plan.stepsPerEpoch)"
  }

  private func epochLine(_ epoch: Int, _ accuracy: RunAccuracy?, _ meter: EpochMeter) -> String {
    let plan = trainer.task.plan
    var line = "epoch \(epoch)/\(plan.epochs)  "
    if plan.phases.count > 1 { line += "\(trainer.phase.name)  " }
    line +=
      "lr \(String(format: "%.4g", trainer.learningRate))  loss \(String(format: "%.4f", trainer.totals.loss))"
    if let top1 = trainer.totals.top1 { line += "  train \(String(format: "%.2f", top1)) %" }
    for (name, top1) in [
      ("test", accuracy?.test.top1), ("ema", accuracy?.average?.top1),
      ("val", accuracy?.validationTop1),
    ] {
      if let top1 { line += "  \(name) \(String(format: "%.2f", top1)) %" }
    }
    line += "  \(Int(meter.imagesPerSecond)) images/s"
    let left = meter.seconds * Double(plan.epochs - epoch) + evaluationTime(after: epoch)
    return epoch < plan.epochs ? line + "  \(durationText(left)) left" : line
  }
}
