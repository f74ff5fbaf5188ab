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
    let taps: [TapShape] = []
    var secondsWaited: Double? { nil }
    var announced: [[ViewKey]] = []
    var asked: [[ViewKey]] = []

    func prefetch(_ keys: [ViewKey], tap: String?) { announced.append(keys) }

    func logits(_ batch: ViewBatch) throws -> TeacherLogits {
      asked.append(batch.keys)
      return TeacherLogits(Matrix(rows: batch.keys.count, columns: classes))
    }

    func features(_ batch: ViewBatch, taps: Set<String>) throws -> [String: Tensor] {
      preconditionFailure("no taps")
    }
  }

  @Test func everyBatchButTheFirstOfAnEpochIsAnnouncedOneStepAhead() throws {
    let execution = Execution(threads: 1)
    let images = try Digits.train()
    let student = try Architecture.make("resnet8", classes: 10)
    student.initialize(seed: 1)
    let listener = Listener()
    let rounds = RoundSchedule(views: ViewSet(weak: 2, strong: 2), plain: false)
    let plan = TrainingPlan.whole(
      CrossViewMethod(), parts: student.taps.count + 1,
      schedule: .multistep(base: 0.01, decay: 1, milestones: [], warmupEpochs: 0),
      stepsPerEpoch: 3, epochs: 2)
    let trainer = try Trainer(
      TrainingTask(
        student: student, plan: plan, teacher: listener,
        renderer: ViewRenderer(images: images, info: DatasetName.mnist.info, seed: 0),
        images: Array(0..<10), normalization: Normalization(mean: [0, 0, 0], std: [1, 1, 1]),
        rounds: rounds, featureRounds: rounds, batchSize: 4, momentum: 0.9, weightDecay: 0,
        seed: 0), on: execution)
    while !trainer.isFinished { try trainer.trainOneStep() }
    // Two views a step: 4, 4 and 2 images, in two epochs.
    #expect(listener.asked.map(\.count) == [4, 4, 4, 4, 2, 2, 4, 4, 4, 4, 2, 2])
    let expected = [2, 3, 4, 5, 8, 9, 10, 11].map { listener.asked[$0] }
    let same = listener.announced == expected
    #expect(same)
  }
}
