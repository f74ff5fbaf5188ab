import Datasets
import Distillation
import Networks
import TeacherCache
import Tensors
import Testing

struct PrefetchTests {
  /// Says the same about every view and remembers what it was asked.
  private final class Listener: TeacherSource {
    let classes = 10
    let taps = [(28, 16), (14, 32), (7, 64)].enumerated().map { stage, size in
      TapShape(tap: "stage\(stage + 1)", height: size.0, width: size.0, channels: size.1)
    }
    var secondsWaited: Double? { nil }
    var announced: [[ViewKey]] = []
    var asked: [[ViewKey]] = []

    func prefetch(_ keys: [ViewKey], tap: String?) { announced.append(keys) }

    func logits(_ batch: ViewBatch) throws -> TeacherLogits {
      asked.append(batch.keys)
      return TeacherLogits(Matrix(rows: batch.keys.count, columns: classes))
    }

    func features(_ batch: ViewBatch, taps: Set<String>) throws -> [String: Tensor] {
      asked.append(batch.keys)
      return Dictionary(
        uniqueKeysWithValues: self.taps.filter { taps.contains($0.tap) }.map { tap in
          let shape = [batch.keys.count, tap.height, tap.width, tap.channels]
          return (tap.tap, Tensor.zeros(shape, in: TensorMemory()))
        })
    }
  }

  /// A trainer of ten digits, four a step, who hears from a listener.
  private func trainer(
    _ listener: Listener, student: Classifier, plan: TrainingPlan, views: ViewSet,
    featureViews: ViewSet
  ) throws -> Trainer {
    student.initialize(seed: 1)
    return try Trainer(
      TrainingTask(
        student: student, plan: plan, teacher: listener,
        renderer: ViewRenderer(
          images: try Digits.train(), info: DatasetName.mnist.info, seed: 0),
        images: Array(0..<10), normalization: Normalization(mean: [0, 0, 0], std: [1, 1, 1]),
        rounds: RoundSchedule(views: views, plain: false),
        featureRounds: RoundSchedule(views: featureViews, plain: false), batchSize: 4,
        momentum: 0.9, weightDecay: 0, seed: 0), on: Execution(threads: 1))
  }

  /// Epochs of three steps, parts of 27, 27, 27 and 19 % of 15 steps: 4, 4, 4 and 3.
  @Test func stageByStageGoesThroughTheRoundsOfFeatures() throws {
    let listener = Listener()
    let student = try Architecture.make("resnet8", classes: 10)
    let plan = try stageByStagePlan(
      studentTaps: student.taps, teacherTaps: student.taps, settings: StageByStageSettings(),
      learningRate: 0.01, decay: 0.1, stepsPerEpoch: 3, epochs: 5)
    let trainer = try trainer(
      listener, student: student, plan: plan, views: ViewSet(weak: 4),
      featureViews: ViewSet(weak: 3))
    while !trainer.isFinished { try trainer.trainOneStep() }
    #expect(
      listener.asked.map { Set($0.map(\.view)) }
        == [0, 0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 0].map { [View.weak($0)] })
  }

  @Test func everyBatchButTheFirstOfAnEpochIsAnnouncedOneStepAhead() throws {
    let student = try Architecture.make("resnet8", classes: 10)
    let listener = Listener()
    let plan = TrainingPlan.whole(
      CRLDMethod(temperature: 4), parts: student.taps.count + 1,
      schedule: .multistep(base: 0.01, decay: 1, milestones: [], warmupEpochs: 0),
      stepsPerEpoch: 3, epochs: 2)
    let views = ViewSet(weak: 2, strong: 2)
    let trainer = try trainer(
      listener, student: student, plan: plan, views: views, featureViews: views)
    while !trainer.isFinished { try trainer.trainOneStep() }
    // Two views a step: 4, 4 and 2 images, in two epochs.
    #expect(listener.asked.map(\.count) == [4, 4, 4, 4, 2, 2, 4, 4, 4, 4, 2, 2])
    let shown: [View] = [.weak(0), .strong(0), .weak(1), .strong(1)]
    #expect(
      listener.asked.map { Set($0.map(\.view)) }
        == [0, 1, 0, 1, 0, 1, 2, 3, 2, 3, 2, 3].map { [shown[$0]] })
    let expected = [2, 3, 4, 5, 8, 9, 10, 11].map { listener.asked[$0] }
    let same = listener.announced == expected
    #expect(same)
  }
}
