import Datasets
import Distillation
import Foundation
import Networks
import Tensors
import TestSupport
import Testing

/// Twenty steps of each method on 64 real images from real weights, against PyTorch in float64
/// (tools/reference/trajectory.py): 1e-6 relative on the first two steps, 1e-3 on every step.
@Suite(
  .enabled(
    if: Trajectory.isAvailable, "needs ../shared/weights and CIFAR-100 under CIFAR_ROOT"))
struct TrajectoryTests {
  @Test(arguments: ["ce", "kd", "dkd", "bkd", "crld"])
  func lossesFollowThoseOfPyTorch(method: String) throws {
    let reference = try Trajectory.reference()["methods"][method]
    let expected = try reference["fp64"].numbers
    let losses = try Trajectory.losses(
      of: method, rate: try reference["learning_rate"].number, steps: expected.count)
    for (step, (found, wanted)) in zip(losses, expected).enumerated() {
      let bound = step < 2 ? 1e-6 : 1e-3
      #expect(abs(found - wanted) <= bound * abs(wanted), "step \(step + 1)")
    }
  }
}

/// Runs on 64 real images in one batch, which is an epoch, in their plain views.
enum Trajectory {
  static var isAvailable: Bool {
    Files.cifar != nil
      && ["resnet20", "resnet56"].allSatisfy { name in
        Files.exists(
          Files.reference.appendingPathComponent("weights/cifar100_\(name).safetensors"))
      }
  }

  /// A fixture that PyTorch wrote.
  static func reference(_ name: String = "trajectory") throws -> GoldenValue {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Fixtures/\(name).json")
    return GoldenValue(try JSONSerialization.jsonObject(with: Data(contentsOf: file)))
  }

  /// A network with its published weights.
  static func published(_ name: String) throws -> Classifier {
    let path = "\(Files.reference.path)/weights/cifar100_\(name).safetensors"
    let network = try Architecture.make(name, classes: 100)
    try network.load(SafeTensors.read(path), path: path)
    return network
  }

  private static let ids = (0..<64).map { $0 * 781 }

  private static func images() throws -> ImageSet {
    try ImageDataset.loadTrain(.cifar100, from: #require(Files.cifar).path)
  }

  /// How many of the images each class has.
  static func classCounts() throws -> [Int] {
    let labels = try images().labels
    var counts = Array(repeating: 0, count: 100)
    for id in ids { counts[labels[id]] += 1 }
    return counts
  }

  /// A trainer of these images whose teacher is resnet56.
  static func trainer(
    of student: Classifier, _ plan: TrainingPlan, seed: UInt64 = 0,
    featureNorm: FeatureNorm = .none, nesterov: Bool = false, averageDecay: Double = 0
  ) throws -> Trainer {
    let execution = Execution(threads: 2)
    let normalization = try Normalization(
      mean: [0.5070, 0.4865, 0.4409], std: [0.2673, 0.2564, 0.2761])
    let rounds = RoundSchedule(views: ViewSet(plain: true), plain: true)
    return try Trainer(
      TrainingTask(
        student: student, plan: plan,
        teacher: LiveTeacher(
          try published("resnet56"), normalization: normalization, height: 32, width: 32,
          on: execution),
        renderer: ViewRenderer(images: try images(), info: DatasetName.cifar100.info, seed: 0),
        images: ids, normalization: normalization, rounds: rounds, featureRounds: rounds,
        batchSize: 64, momentum: 0.9, weightDecay: 5e-4, seed: seed, featureNorm: featureNorm,
        nesterov: nesterov, averageDecay: averageDecay), on: execution)
  }

  static func losses(of name: String, rate: Double, steps: Int) throws -> [Double] {
    let methods: [String: any DistillationMethod] = [
      "ce": CrossEntropyMethod(), "kd": KDMethod(temperature: 4),
      "dkd": DKDMethod(.init(beta: 2), temperature: 4),
      "bkd": BKDMethod(classCounts: try classCounts(), temperature: 2),
      "crld": CRLDMethod(temperature: 4),
    ]
    let student = try published("resnet20")
    let plan = TrainingPlan.whole(
      try #require(methods[name]), parts: student.partCount,
      schedule: .multistep(base: rate, decay: 1, milestones: [], warmupEpochs: 0),
      stepsPerEpoch: 1, epochs: steps)
    let trainer = try Self.trainer(of: student, plan)
    return try (0..<steps).map { _ in
      trainer.beginEpoch()
      try trainer.trainOneStep()
      return trainer.totals.loss
    }
  }
}
