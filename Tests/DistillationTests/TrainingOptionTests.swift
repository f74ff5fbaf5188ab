import Distillation
import Foundation
import Networks
import Tensors
import Testing

/// Options of a trainer and long-tail baselines against PyTorch in float64
/// (tools/reference/training_options.py).
struct TrainingOptionTests {
  private let fixture: GoldenValue
  private let labels: [Int]
  private let counts: [Int]
  private let smoothing: Double

  init() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Fixtures/training-options.json")
    fixture = GoldenValue(try JSONSerialization.jsonObject(with: Data(contentsOf: file)))
    labels = try fixture["inputs"]["labels"].integers
    counts = try fixture["inputs"]["counts"].integers
    smoothing = try fixture["inputs"]["smoothing"].number
  }

  /// Every loss of the fixture, and the epoch (from 0) that it is for.
  private func method(_ name: String) throws -> (method: any DistillationMethod, epoch: Int) {
    var (decoupled, perView) = (CrossViewWeights(), CrossViewWeights())
    (decoupled.base, decoupled.beta) = (.dkd, 2)
    (perView.base, perView.alpha, perView.mask) = (.dkd, 0.5, .perTeacherView)
    let deferred = CrossEntropyMethod(
      .init(beta: 0.9999, reweightFromEpoch: 32), classCounts: counts, labelSmoothing: smoothing)
    let methods: [String: (any DistillationMethod, Int)] = [
      "smoothed_ce": (deferred, 31),
      "smoothed_weighted_ce": (deferred, 32),
      "smoothed_kd": (KDMethod(temperature: 4, labelSmoothing: smoothing), 0),
      "smoothed_dkd": (DKDMethod(temperature: 4, labelSmoothing: smoothing), 9),
      "smoothed_bkd": (
        BKDMethod(classCounts: counts, temperature: 2, labelSmoothing: smoothing), 0
      ),
      "smoothed_crld": (CRLDMethod(temperature: 4, labelSmoothing: smoothing), 0),
      "crld_dkd": (CRLDMethod(decoupled, temperature: 4), 0),
      "crld_dkd_per_teacher_view": (CRLDMethod(perView, temperature: 4), 0),
      "focal": (FocalMethod(classCounts: counts), 0),
      "focal_gamma0.5_weighted": (
        FocalMethod(.init(gamma: 0.5, beta: 0.9999), classCounts: counts), 0
      ),
      "smoothed_focal": (
        FocalMethod(
          .init(gamma: 2, beta: 0.9999), classCounts: counts, labelSmoothing: smoothing), 0
      ),
      "ldam": (LDAMMethod(classCounts: counts), 159),
      "smoothed_ldam_weighted": (LDAMMethod(classCounts: counts, labelSmoothing: smoothing), 160),
      "la": (LogitAdjustmentMethod(classCounts: counts), 0),
      "smoothed_la_tau1.5": (
        LogitAdjustmentMethod(.init(tau: 1.5), classCounts: counts, labelSmoothing: smoothing), 0
      ),
    ]
    return try #require(methods[name])
  }

  private static let names = [
    "smoothed_ce", "smoothed_weighted_ce", "smoothed_kd", "smoothed_dkd", "smoothed_bkd",
    "smoothed_crld", "crld_dkd",
    "crld_dkd_per_teacher_view", "focal", "focal_gamma0.5_weighted", "smoothed_focal", "ldam",
    "smoothed_ldam_weighted", "la", "smoothed_la_tau1.5",
  ]

  private func views(_ prefix: String = "") throws -> [Matrix] {
    try ["weak", "strong"].map { try fixture["inputs"][prefix + $0].matrix }
  }

  @Test(arguments: names)
  func lossesAndGradientsEqualThoseOfPyTorch(name: String) throws {
    let (method, epoch) = try method(name)
    let loss = method.loss(
      student: try views(), teacher: try views("teacher_").map { TeacherLogits($0) },
      labels: labels, epoch: epoch)
    let expected = try fixture["losses"][name]
    #expect(agree([loss.total], [try expected["value"].number]))
    #expect(agree(loss.gradients[0].values, try expected["gradient"].flattened))
    if loss.gradients.count > 1 {
      #expect(agree(loss.gradients[1].values, try expected["strong_gradient"].flattened))
    }
    #expect(loss.terms.map(\.name) == method.termNames)
    let plain = name.replacing("smoothed_", with: "").replacing("weighted_ce", with: "ce")
    let names = try #require(Self.terms.first { plain.hasPrefix($0.key) }?.value)
    #expect(method.termNames == names)
  }

  /// As metrics.jsonl promises them.
  private static let terms = [
    "ce": ["ce"], "focal": ["focal"], "ldam": ["ldam"], "la": ["la"],
    "kd": ["ce", "kd"], "dkd": ["ce", "tckd", "nckd"], "bkd": ["ce", "bkd"],
    "crld": ["ce", "within_view", "cross_view"],
  ]

  /// Central differences of the whole loss, of every method in every form.
  @Test(arguments: names)
  func gradientsAreSlopes(name: String) throws {
    let (method, epoch) = try method(name)
    let teacher = try views("teacher_").map { TeacherLogits($0) }
    var student = try views()
    func total() -> Double {
      method.loss(student: student, teacher: teacher, labels: labels, epoch: epoch).total
    }
    let gradients = method.loss(
      student: student, teacher: teacher, labels: labels, epoch: epoch
    ).gradients
    let step = 1e-5
    for (view, gradient) in gradients.enumerated() {
      for i in stride(from: 0, to: gradient.values.count, by: 5) {
        let value = student[view].values[i]
        student[view].values[i] = value + step
        let above = total()
        student[view].values[i] = value - step
        let slope = (above - total()) / (2 * step)
        student[view].values[i] = value
        #expect(
          abs(slope - gradient.values[i]) < 1e-6 * max(1, abs(slope)), "view \(view), element \(i)")
      }
    }
  }

  @Test func theFocalLossOfACertainAnswerIsZeroWithAFiniteGradient() {
    let certain = Matrix(rows: 1, columns: 2, values: [800, 0])
    for gamma in [0, 0.5, 1, 2.0] {
      let loss = focalLoss(certain, labels: [0], gamma: gamma)
      #expect(loss.value == 0 && loss.gradient.isFinite, "γ = \(gamma)")
    }
  }

  @Test func theCosineEqualsThatOfPyTorch() throws {
    for (name, warmup) in [("plain", 0), ("warmup3", 3)] {
      let schedule = LearningRateSchedule.cosine(
        base: 0.1, minimum: 0.001, epochs: 12, warmupEpochs: warmup)
      let expected = try fixture["cosine"][name].numbers
      let rates = expected.indices.map { schedule.rate(epoch: $0, step: 0) }
      #expect(agree(rates, expected, tolerance: 1e-15), "\(name)")
    }
  }

  /// In the other common form the factors do not add up to 1 in fp32, and this would drift.
  @Test func aNetworkThatStandsStillIsItsOwnAverage() throws {
    let student = try Architecture.make("resnet8", classes: 10)
    student.initialize(seed: 1)
    let average = try WeightAverage(of: student, decay: 0.99999)
    for _ in 0..<100 { average.update(from: student, on: Execution(threads: 1)) }
    let isSame = average.network.weightHash == student.weightHash
    #expect(isSame)
  }

  @Test func theAverageEqualsThatOfTimm() throws {
    let values = try fixture["ema"]["values"].flattened.map { Float($0) }
    let expected = try fixture["ema"]["averages"].flattened.map { Float($0) }
    let student = try Architecture.make("resnet8", classes: 10)
    let weight = try #require(student.parameters.first { $0.name == "bn1.bias" })
    let mean = try #require(student.buffers.first { $0.name == "bn1.running_mean" })
    let count = try #require(student.buffers.first { $0.isInteger })
    func set(_ row: Int) {
      weight.setState(Array(values[(row * 16)..<((row + 1) * 16)]))
      mean.values = weight.stateValues()
      count.values = [Float(row)]
    }
    set(0)
    let average = try WeightAverage(of: student, decay: try fixture["ema"]["decay"].number)
    let (averaged, statistics) = (
      try #require(average.network.parameters.first { $0.name == weight.name }),
      try #require(average.network.buffers.first { $0.name == mean.name })
    )
    for row in 1...5 {
      set(row)
      average.update(from: student, on: Execution(threads: 2))
      let wanted = Array(expected[((row - 1) * 16)..<(row * 16)])
      let sameWeights = averaged.stateValues() == wanted
      let sameStatistics = statistics.values == wanted
      #expect(sameWeights && sameStatistics, "step \(row)")
    }
    #expect(average.network.buffers.first { $0.isInteger }?.values == [5])
    let unchanged = weight.stateValues() == Array(values[80...])
    #expect(unchanged)
  }
}
