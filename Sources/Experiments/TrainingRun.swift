import Datasets
package import Distillation
import Foundation
import Networks
package import Reporting
package import Tensors

/// A run that was asked to stop and saved where it is.
package struct Stopped: Error, Sendable {}

/// One run from its first or last saved step to its summary.
package final class TrainingRun {
  private let inputs: TrainingInputs
  private let settings: Settings
  private let directory: RunDirectory
  private let trainer: Trainer
  private let execution: Execution
  private let progress: ProgressLine
  private let shots: ShotGroups
  private var lastAccuracy: Accuracy?

  package init(
    inputs: TrainingInputs, settings: Settings, plan: TrainingPlan, directory: RunDirectory,
    execution: Execution, progress: ProgressLine
  ) throws {
    self.inputs = inputs
    self.settings = settings
    self.directory = directory
    self.execution = execution
    self.progress = progress
    shots = ShotGroups(classCounts: inputs.classCounts)
    trainer = try Trainer(
      TrainingTask(
        student: inputs.student, plan: plan, teacher: inputs.teacher,
        renderer: ViewRenderer(
          images: inputs.data.train, info: inputs.data.info, seed: inputs.viewSeed),
        images: inputs.images, normalization: inputs.normalization,
        rounds: RoundSchedule(views: inputs.views, plain: settings.plainViews),
        featureRounds: RoundSchedule(
          views: inputs.featureViews,
          plain: settings.plainViews || inputs.featureViews == ViewSet(plain: true)),
        batchSize: settings.batchSize, momentum: Float(settings.momentum),
        weightDecay: Float(settings.weightDecay), seed: settings.seed,
        featureNorm: settings.sskd.norm), on: execution)
  }

  /// Trains to the end and writes the summary.
  ///
  /// - Parameter shouldStop: asked after every step; true saves a checkpoint and throws
  ///   ``Stopped``.
  package func train(shouldStop: () -> Bool) throws -> JSONValue {
    if case .started(let state) = directory.progress {
      try trainer.restore(state, path: directory.statePath)
      progress.note("going on from epoch \(trainer.epoch + 1), step \(trainer.stepInEpoch + 1)")
    }
    try directory.keepMetrics(epochs: trainer.epoch)
    var meter = EpochMeter(
      waited: inputs.teacher?.secondsWaited, imagesBefore: trainer.totals.images)
    while !trainer.isFinished {
      try trainer.trainOneStep()
      meter.images = trainer.totals.images
      if trainer.stepInEpoch == 0 {
        try finishEpoch(&meter)
      } else {
        progress.update { stepLine(meter) }
      }
      if shouldStop() {
        try save()
        throw Stopped()
      }
    }
    let summary = try makeSummary()
    let seconds = try directory.metrics().compactMap { $0["seconds"] as? Double }.reduce(0, +)
    let assessment = RunAssessment(inputs: inputs, settings: settings, execution: execution)
    try directory.writeReport(
      assessment.evaluation(trainingSeconds: seconds), summary: summary)
    try directory.writeSummary(summary)
    progress.clear()
    return summary
  }

  private func finishEpoch(_ meter: inout EpochMeter) throws {
    let epoch = trainer.epoch  // that was just finished, from 1
    meter.stop(waited: inputs.teacher?.secondsWaited)
    var accuracy: Accuracy?
    if trainer.phase.trainsLogits, epoch % settings.evalEvery == 0 || trainer.isFinished {
      accuracy = evaluate(
        inputs.student, on: inputs.data.test, info: inputs.data.info,
        normalization: inputs.normalization, execution: execution)
      lastAccuracy = accuracy
    }
    let best = try directory.metrics().compactMap { $0["test_top1"] as? Double }.max()
    if let top1 = accuracy?.top1, top1 > best ?? -1 {
      try weights().write(to: directory.bestWeights)
    }
    try directory.appendMetrics(metricsLine(epoch, accuracy, meter))
    progress.note(epochLine(epoch, accuracy, meter))
    trainer.beginEpoch()
    try save()
    meter = EpochMeter(waited: inputs.teacher?.secondsWaited, imagesBefore: 0)
  }

  /// The state is what a resumed run reads; it is written last, so it never runs ahead.
  private func save() throws {
    try weights().write(to: directory.lastWeights)
    try trainer.state().write(to: directory.statePath)
  }

  private func weights() -> SafeTensors {
    let normalization = inputs.normalization
    return inputs.student.state(metadata: [
      "architecture": inputs.student.architecture, "dataset": inputs.data.info.name.rawValue,
      "mean": normalization.mean.map { "\($0)" }.joined(separator: ","),
      "std": normalization.std.map { "\($0)" }.joined(separator: ","), "format": "pt",
    ])
  }

  private func metricsLine(
    _ epoch: Int, _ accuracy: Accuracy?, _ meter: EpochMeter
  ) -> JSONValue {
    let totals = trainer.totals
    let terms = trainer.task.plan.termNames.map { ($0, JSONValue.optional(totals.mean($0))) }
    var members: [(String, JSONValue)] = [
      ("epoch", .integer(epoch)), ("lr", .number(trainer.learningRate)),
      ("loss", .number(totals.loss)),
    ]
    members += terms
    members += [
      ("train_top1", .optional(totals.top1)), ("test_top1", .optional(accuracy?.top1)),
      ("test_top5", .optional(accuracy?.top5)),
      ("images_per_second", .number(meter.imagesPerSecond)),
      ("cache_wait_fraction", .optional(meter.waitFraction)),
      ("seconds", .number(meter.seconds)), ("time", .number(Date().timeIntervalSince1970)),
    ]
    return .object(members)
  }

  private func makeSummary() throws -> JSONValue {
    let metrics = try directory.metrics()
    // Only a run that was killed between its last checkpoint and this place has to look again.
    let accuracy =
      lastAccuracy
      ?? evaluate(
        inputs.student, on: inputs.data.test, info: inputs.data.info,
        normalization: inputs.normalization, execution: execution)
    let parameters = inputs.student.parameters.reduce(0) { $0 + $1.stateShape.reduce(1, *) }
    let tests = metrics.compactMap { $0["test_top1"] as? Double }
    let seconds = metrics.compactMap { $0["seconds"] as? Double }.reduce(0, +)
    let members: [(String, JSONValue)] = [
      ("method", .string(settings.method.rawValue)),
      ("student", .string(inputs.student.architecture)),
      ("epochs", .integer(settings.epochs)),
      ("parameters", .integer(parameters)),
      ("training_images", .integer(inputs.images.count)),
      ("test_top1_last", .number(accuracy.top1)),
      ("test_top5_last", .number(accuracy.top5)),
      ("test_top1_best", .number(max(tests.max() ?? 0, accuracy.top1))),
      ("many_top1", .optional(accuracy.top1(ofClasses: shots.many))),
      ("medium_top1", .optional(accuracy.top1(ofClasses: shots.medium))),
      ("few_top1", .optional(accuracy.top1(ofClasses: shots.few))),
      ("seconds", .number(seconds)),
      ("images_per_second", .number(Double(inputs.images.count * settings.epochs) / seconds)),
      ("cache_id", inputs.cacheID.map(JSONValue.string) ?? .null),
    ]
    return .object(members)
  }

  private func stepLine(_ meter: EpochMeter) -> String {
    let plan = trainer.task.plan
    let rate = meter.imagesPerSecond
    let left = Double((plan.totalSteps - trainer.step) * settings.batchSize) / max(rate, 1e-9)
    return "epoch \(trainer.epoch + 1)/\(plan.epochs)  step \(trainer.stepInEpoch)/"
      + "\(plan.stepsPerEpoch)  loss \(String(format: "%.4f", trainer.totals.loss))  "
      + "\(Int(rate)) images/s  \(durationText(left)) left"
  }

  private func epochLine(_ epoch: Int, _ accuracy: Accuracy?, _ meter: EpochMeter) -> String {
    let plan = trainer.task.plan
    var line = "epoch \(epoch)/\(plan.epochs)  "
    if plan.phases.count > 1 { line += "\(trainer.phase.name)  " }
    line +=
      "lr \(String(format: "%.4g", trainer.learningRate))  loss \(String(format: "%.4f", trainer.totals.loss))"
    if let top1 = trainer.totals.top1 { line += "  train \(String(format: "%.2f", top1)) %" }
    if let accuracy { line += "  test \(String(format: "%.2f", accuracy.top1)) %" }
    line += "  \(Int(meter.imagesPerSecond)) images/s"
    let left = meter.seconds * Double(plan.epochs - epoch)
    return epoch < plan.epochs ? line + "  \(durationText(left)) left" : line
  }
}
