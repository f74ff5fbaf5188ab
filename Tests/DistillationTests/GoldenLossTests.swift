import Distillation
import Tensors
import Testing

/// Every loss, value and gradient, against the float64 reference.
@Suite(.enabled(if: Golden.isAvailable, "needs ../shared/golden/golden_losses.json"))
struct GoldenLossTests {
  private let golden: GoldenValue
  private let labels: [Int]
  private let student: Matrix
  private let teacher: Matrix

  init() throws {
    golden = try Golden.load()
    labels = try golden["inputs"]["y"].integers
    student = try golden["inputs"]["zs"].matrix
    teacher = try golden["inputs"]["zt"].matrix
  }

  private func check(
    _ loss: DistillationLoss, _ name: String, gradient key: String = "grad_zs",
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let expected = try golden[name]
    #expect(agree([loss.total], [try expected["value"].number]), sourceLocation: sourceLocation)
    #expect(
      agree(loss.gradients[0].values, try expected[key].flattened), sourceLocation: sourceLocation)
  }

  @Test(arguments: [1.0, 2, 4])
  func softmaxAndItsLogarithm(temperature: Double) throws {
    let expected = try golden["softmax"]["T\(Int(temperature))"]
    #expect(
      agree(Array(softmax(teacher, temperature: temperature).row(0)), try expected["p"].numbers))
    #expect(
      agree(
        Array(logSoftmax(teacher, temperature: temperature).row(0)),
        try expected["logp"].numbers))
  }

  @Test func crossEntropyWithoutWeights() throws {
    try check(
      CrossEntropyMethod().loss(student: [student], teacher: [], labels: labels, epoch: 0), "ce")
  }

  @Test func crossEntropyWithClassWeightsIsAWeightedMean() throws {
    let weights = try golden["class_weights_cifar10_exp0.01"]["weights"].numbers
    let loss = crossEntropy(student, labels: labels, classWeights: weights)
    #expect(agree([loss.value], [try golden["ce_weighted"]["value"].number]))
    #expect(agree(loss.gradient.values, try golden["ce_weighted"]["grad_zs"].flattened))
  }

  @Test(arguments: [1.0, 2, 4])
  func hintonsTerm(temperature: Double) throws {
    let loss = knowledgeDistillation(
      student: student, teacher: teacher, temperature: temperature)
    let expected = try golden["kd_T\(Int(temperature))"]
    #expect(agree([loss.value], [try expected["value"].number]))
    #expect(agree(loss.gradient.values, try expected["grad_zs"].flattened))
  }

  @Test func hintonsDistillationWithTheWeightsOfMdistiller() throws {
    let method = KDMethod(temperature: 4)
    try check(
      method.loss(student: [student], teacher: [TeacherLogits(teacher)], labels: labels, epoch: 0),
      "kd_total_mdistiller")
  }

  @Test(arguments: ["class_weights_cifar10_exp0.01"])
  func effectiveNumbersGiveTheClassWeights(name: String) throws {
    let expected = try golden[name]
    let counts = try expected["counts"].integers
    #expect(
      agree(
        effectiveNumberWeights(counts: counts, beta: 0.9999), try expected["weights"].numbers))
    #expect(
      agree(
        effectiveNumberWeights(counts: counts, beta: 0), try expected["weights_beta0"].numbers))
  }

  @Test func aClassWithoutImagesCountsAsOne() {
    let weights = effectiveNumberWeights(counts: [0, 1, 100], beta: 0.9999)
    #expect(weights[0] == weights[1])
    #expect(weights.allSatisfy { $0.isFinite })
  }

  @Test func aClassWithoutImagesTakesNothingFromTheOthers() {
    // Two classes of 500 images are balanced: 1 each, and the largest margin for both.
    let weights = effectiveNumberWeights(counts: [500, 500, 0], beta: 0.9999)
    #expect(agree(Array(weights.prefix(2)), [1, 1]))
    let margins = labelDistributionMargins(counts: [500, 500, 0], largest: 0.5)
    #expect(agree(Array(margins.prefix(2)), [0.5, 0.5]))
  }

  @Test func balancedDistillation() throws {
    let counts = try golden["class_weights_cifar10_exp0.01"]["counts"].integers
    let method = BKDMethod(classCounts: counts, temperature: 2)
    let loss = method.loss(
      student: [student], teacher: [TeacherLogits(teacher)], labels: labels, epoch: 0)
    try check(loss, "bkd")
    #expect(agree([loss.terms[0].value], [try golden["bkd"]["ce"].number]))
    #expect(agree([loss.terms[1].value], [try golden["bkd"]["kd"].number]))
    let target = balancedTarget(
      teacher: teacher, classWeights: effectiveNumberWeights(counts: counts, beta: 0.9999),
      temperature: 2)
    #expect(agree(target.values, try golden["bkd"]["balanced_target"].flattened))
  }

  @Test func balancedDistillationBeforeItsSwitchIsPlainDistillation() throws {
    let counts = try golden["class_weights_cifar10_exp0.01"]["counts"].integers
    let method = BKDMethod(
      .init(reweightFromEpoch: 160), classCounts: counts, temperature: 2)
    let before = method.loss(
      student: [student], teacher: [TeacherLogits(teacher)], labels: labels, epoch: 159)
    #expect(agree([before.total], [try golden["bkd_uniform_weights"]["value"].number]))
    let after = method.loss(
      student: [student], teacher: [TeacherLogits(teacher)], labels: labels, epoch: 160)
    try check(after, "bkd")
  }

  @Test func balancedDistillationWithItsWeightLowered() throws {
    let counts = try golden["class_weights_cifar10_exp0.01"]["counts"].integers
    let method = BKDMethod(.init(alpha: 0.3), classCounts: counts, temperature: 2)
    let loss = method.loss(
      student: [student], teacher: [TeacherLogits(teacher)], labels: labels, epoch: 0)
    let expected = try golden["bkd_alpha0.3"]
    #expect(agree([loss.total], [try expected["value"].number]))
    #expect(agree(Array(loss.gradients[0].row(0)), try expected["grad_zs_row0"].numbers))
  }

  @Test(arguments: ["dkd_b8_T4", "dkd_b2_T4", "dkd_b0.5_T1"])
  func decoupledDistillationHalves(name: String) throws {
    let expected = try golden[name]
    let (alpha, beta) = (try expected["alpha"].number, try expected["beta"].number)
    let halves = decoupledDistillation(
      student: student, teacher: teacher, labels: labels, temperature: try expected["T"].number)
    #expect(agree([halves.target.value], [try expected["tckd"].number]))
    #expect(agree([halves.nonTarget.value], [try expected["nckd"].number]))
    var gradient = halves.target.gradient.scaled(by: alpha)
    gradient.add(halves.nonTarget.gradient, scale: beta)
    #expect(agree(gradient.values, try expected["grad_zs"].flattened))
  }

  @Test(arguments: [1, 10, 20, 240])
  func decoupledDistillationWarmsUp(epoch: Int) throws {
    let loss = DKDMethod(temperature: 4).loss(
      student: [student], teacher: [TeacherLogits(teacher)], labels: labels, epoch: epoch - 1)
    #expect(
      agree([loss.total], [try golden["dkd_total_warmup"][String(epoch)].number]))
  }

  @Test(arguments: [
    "crld_cifar100", "crld_cifar100_per_teacher_view", "crld_tinyimagenet", "crld_imagenet",
    "crld_no_mask",
  ])
  func crossViewConsistencyWithMasks(name: String) throws {
    let (inputs, expected) = (try golden["inputs"], try golden[name])
    let config = try expected["config"]
    var weights = CrossViewWeights()
    weights.crossEntropy = try config["ce_w"].number
    weights.withinView = try config["wv_w"].number
    weights.crossView = try config["cv_w"].number
    weights.weakThreshold = try config["tau_w"].number
    weights.strongThreshold = try config["tau_s"].number
    weights.mask = name.hasSuffix("per_teacher_view") ? .perTeacherView : .perLoss
    let method = CRLDMethod(weights, temperature: try config["T"].number)
    let loss = method.loss(
      student: [try inputs["sw"].matrix, try inputs["ss"].matrix],
      teacher: [
        TeacherLogits(try inputs["tw"].matrix), TeacherLogits(try inputs["ts"].matrix),
      ], labels: labels, epoch: 0)
    let terms = ["loss_ce", "loss_kd_wv", "loss_kd_cv"]
    for (term, key) in zip(loss.terms, terms) {
      #expect(agree([term.value], [try expected[key].number]))
    }
    try check(loss, name, gradient: "grad_sw")
    #expect(agree(loss.gradients[1].values, try expected["grad_ss"].flattened))
  }

  @Test func theFocalLossWeightsClassesBeforeItFormsItsExponent() throws {
    let counts = try golden["class_weights_cifar10_exp0.01"]["counts"].integers
    let weighted = FocalMethod(.init(gamma: 1, beta: 0.9999), classCounts: counts)
    try check(
      weighted.loss(student: [student], teacher: [], labels: labels, epoch: 0),
      "focal_gamma1_weighted")
    let plain = FocalMethod(.init(gamma: 2), classCounts: counts).loss(
      student: [student], teacher: [], labels: labels, epoch: 0)
    #expect(agree([plain.total], [try golden["focal_gamma2"]["value"].number]))
    #expect(
      agree(
        Array(plain.gradients[0].row(0)), try golden["focal_gamma2"]["grad_zs_row0"].numbers))
  }

  @Test func marginsBeforeAndAfterTheDeferredReweighting() throws {
    let counts = try golden["class_weights_cifar10_exp0.01"]["counts"].integers
    let expected = try golden["ldam"]
    #expect(
      agree(
        labelDistributionMargins(counts: counts, largest: 0.5), try expected["margins"].numbers))
    // The file's x is tanh(zs / 2), which is 2·sigmoid(zs) − 1.
    var cosines = student
    for i in cosines.values.indices {
      cosines.values[i] = 2 / (1 + exponential(-student.values[i])) - 1
    }
    let method = LDAMMethod(classCounts: counts)
    let before = method.loss(student: [cosines], teacher: [], labels: labels, epoch: 159)
    try check(before, "ldam", gradient: "grad_x")
    let after = method.loss(student: [cosines], teacher: [], labels: labels, epoch: 160)
    #expect(agree([after.total], [try golden["ldam_weighted"]["value"].number]))
    #expect(
      agree(
        Array(after.gradients[0].row(0)), try golden["ldam_weighted"]["grad_x_row0"].numbers))
  }

  @Test func masksFollowTheTeachersConfidence() throws {
    let (inputs, expected) = (try golden["inputs"], try golden["crld_cifar100"])
    let weak = TeacherLogits(try inputs["tw"].matrix)
    let strong = TeacherLogits(try inputs["ts"].matrix)
    #expect(mask(weak, threshold: 0.9) == (try expected["mask_w"].numbers))
    #expect(mask(strong, threshold: 0.2) == (try expected["mask_s"].numbers))
    // A stored confidence wins over that of rounded logits.
    let stored = TeacherLogits(weak.logits, confidence: Array(repeating: 0.9, count: 6))
    #expect(mask(stored, threshold: 0.9) == Array(repeating: 1, count: 6))
  }
}
