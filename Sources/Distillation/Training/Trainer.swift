import Datasets
import Networks
import TeacherCache
package import Tensors

/// Trains a student step by step; knows no files, clocks or terminals.
package final class Trainer {
  package let task: TrainingTask
  /// Steps done so far, of the whole run.
  package internal(set) var step = 0
  /// What the epoch under way has added up to.
  package internal(set) var totals = EpochTotals()
  /// The learning rate of the last step.
  package internal(set) var learningRate = 0.0
  /// The moving average of the weights, in a run that keeps one.
  package let average: WeightAverage?
  var phaseIndex = -1
  var optimizer: SGD
  var matchers: [FeatureMatcher] = []
  /// The images of the last step.
  private(set) var lastImages: [Int] = []
  private var inverseDeviations: [String: [Float]] = [:]
  private var order: (epoch: Int, images: [Int]) = (-1, [])
  private let epochOrder: EpochOrder
  private let execution: Execution

  package init(_ task: TrainingTask, on execution: Execution) throws {
    self.task = task
    self.execution = execution
    epochOrder = EpochOrder(images: task.images, seed: task.seed)
    optimizer = SGD([], momentum: 0, weightDecay: 0)
    average =
      task.averageDecay > 0 ? try WeightAverage(of: task.student, decay: task.averageDecay) : nil
    try enterPhase(task.plan.phaseIndex(at: 0))
  }

  package var isFinished: Bool { step >= task.plan.totalSteps }
  /// The epoch of the next step, from 0.
  package var epoch: Int { step / task.plan.stepsPerEpoch }
  package var stepInEpoch: Int { step % task.plan.stepsPerEpoch }
  package var phase: TrainingPhase { task.plan.phases[phaseIndex] }

  /// Forgets what the finished epoch added up to.
  package func beginEpoch() { totals = EpochTotals() }

  /// Forward, loss, backward, update.
  ///
  /// - Throws: ``Divergence`` when the loss or a gradient is not finite, ``NonFiniteTeacher`` when what
  ///   a live teacher says is not, ``ReplayMismatch`` when the pixels are not those that the teacher
  ///   saw, `CacheError` when what it said cannot be read. The weights are then still those before
  ///   this step; running statistics may have moved.
  package func trainOneStep() throws {
    precondition(!isFinished, "the run has only \(task.plan.totalSteps) steps")
    let index = task.plan.phaseIndex(at: step)
    if index != phaseIndex { try enterPhase(index) }
    let epoch = self.epoch
    if order.epoch != epoch { order = (epoch, epochOrder.images(inEpoch: epoch)) }
    let start = stepInEpoch * task.batchSize
    let ids = Array(order.images[start..<min(start + task.batchSize, order.images.count)])
    lastImages = ids
    learningRate = phase.schedule.rate(epoch: epoch, step: step - phase.steps.lowerBound)
    let next = start + ids.count
    prefetch(order.images[next..<min(next + task.batchSize, order.images.count)], epoch: epoch)
    switch phase.objective {
    case .logits(let method): try trainLogits(method, ids, epoch: epoch)
    case .features: try trainFeatures(ids, epoch: epoch)
    }
    try checkGradients(ids)
    optimizer.step(learningRate: Float(learningRate), on: execution)
    average?.update(from: task.student, on: execution)
    step += 1
  }

  // One forward pass a view, each with its own batch statistics; backward in reverse order, as the
  // layers keep what they need on a stack.
  private func trainLogits(_ method: any DistillationMethod, _ ids: [Int], epoch: Int) throws {
    let labels = ids.map { task.renderer.images.labels[$0] }
    var studentLogits: [Matrix] = []
    var teacherLogits: [TeacherLogits] = []
    for kind in method.views {
      let batch = views(of: ids, task.rounds.view(kind, epoch: epoch))
      if method.needsTeacher {
        teacherLogits.append(try requiredTeacher.logits(batch))
      } else {
        try task.teacher?.prove(batch)
      }
      let output = task.student.forward(
        batch.images(task.normalization, on: execution), training: phase.trained, on: execution)
      guard let logits = output.logits?.values else { preconditionFailure("no logits") }
      studentLogits.append(Matrix(rows: ids.count, columns: task.student.classes, floats: logits))
    }
    let outer = execution.enter(.loss)
    let loss = method.loss(
      student: studentLogits, teacher: teacherLogits, labels: labels, epoch: epoch)
    execution.leave(outer)
    try check(loss.total, ids)
    for gradient in loss.gradients.reversed() {
      let tensor = Tensor(gradient.floats, shape: [gradient.rows, gradient.columns])
      task.student.backward(logits: tensor, features: [:], on: execution)
    }
    totals.add(loss.terms, images: ids.count)
    totals.add(correct: zip(studentLogits[0].rowArgmax, labels).count { $0 == $1 }, of: ids.count)
  }

  private func trainFeatures(_ ids: [Int], epoch: Int) throws {
    let batch = views(of: ids, task.featureRounds.view(.weak, epoch: epoch))
    let taps = matchers.map { task.student.taps[$0.pair.studentStage] }
    let last = matchers.map(\.pair.studentStage).max() ?? 0
    let output = task.student.forward(
      batch.images(task.normalization, on: execution), training: phase.trained, through: last,
      keeping: Set(taps), on: execution)
    let imitated = try requiredTeacher.features(
      batch, taps: Set(matchers.map(\.pair.teacherTap)))
    var total = 0.0
    var gradients: [String: Tensor] = [:]
    for (matcher, tap) in zip(matchers, taps) {
      guard let feature = output.features[tap], let imitated = imitated[matcher.pair.teacherTap]
      else { preconditionFailure("no tap \(tap) or \(matcher.pair.teacherTap)") }
      let (loss, gradient) = matcher.loss(student: feature, teacher: imitated, on: execution)
      total += loss
      gradients[tap] = gradient
    }
    try check(total, ids)
    task.student.backward(logits: nil, features: gradients, on: execution)
    totals.add([("mse", total)], images: ids.count)
  }

  /// Tells the teacher what the next step of the epoch will ask for.
  private func prefetch(_ ids: ArraySlice<Int>, epoch: Int) {
    guard let teacher = task.teacher, !ids.isEmpty else { return }
    func keys(_ view: View) -> [ViewKey] { ids.map { ViewKey(image: $0, view: view) } }
    switch phase.objective {
    case .logits(let method):
      for kind in method.views {
        teacher.prefetch(keys(task.rounds.view(kind, epoch: epoch)), tap: nil)
      }
    case .features:
      for matcher in matchers {
        let view = task.featureRounds.view(.weak, epoch: epoch)
        teacher.prefetch(keys(view), tap: matcher.pair.teacherTap)
      }
    }
  }

  private func views(of ids: [Int], _ view: View) -> ViewBatch {
    ViewBatch(
      keys: ids.map { ViewKey(image: $0, view: view) }, renderer: task.renderer, on: execution)
  }

  private var requiredTeacher: any TeacherSource {
    guard let teacher = task.teacher else {
      preconditionFailure("phase \(phase.name) needs a teacher")
    }
    return teacher
  }

  private func check(_ loss: Double, _ ids: [Int]) throws(Divergence) {
    // Totals of an epoch are sums over images.
    guard (loss * Double(ids.count)).isFinite else { throw divergence("the loss", ids, step: step) }
  }

  /// A phase begins with fresh momentum and fresh adapters.
  func enterPhase(_ index: Int) throws {
    phaseIndex = index
    matchers = []
    if case .features(let pairs) = phase.objective {
      matchers = try pairs.map { try makeMatcher($0) }
    }
    let trained = phase.trained.flatMap { task.student.parameters(ofPart: $0) }
    let adapted = matchers.flatMap { $0.adapter?.parameters ?? [] }
    task.student.zeroGradients()
    optimizer = SGD(
      trained + adapted, momentum: task.momentum, weightDecay: task.weightDecay,
      nesterov: task.nesterov)
  }

  private func makeMatcher(_ pair: FeaturePair) throws -> FeatureMatcher {
    let images = task.renderer.images
    let sizes = task.student.tapSizes(height: images.height, width: images.width)
    guard let teacherSize = requiredTeacher.taps.first(where: { $0.tap == pair.teacherTap }) else {
      preconditionFailure("the teacher has no tap \(pair.teacherTap)")
    }
    var deviations: [Float] = []
    if task.featureNorm == .std { deviations = try inverseDeviations(of: pair.teacherTap) }
    return try FeatureMatcher(
      pair: pair, student: sizes[pair.studentStage], teacher: teacherSize, seed: task.seed,
      inverseDeviations: deviations)
  }

  /// 1/σ of each channel of a teacher tap over up to 256 of the training images in the views of
  /// the first epoch: the same numbers from a cache and from a live teacher.
  private func inverseDeviations(of tap: String) throws -> [Float] {
    if let known = inverseDeviations[tap] { return known }
    let ids = Array(task.images.prefix(256))
    let view = task.featureRounds.view(.weak, epoch: 0)
    guard let features = try requiredTeacher.features(views(of: ids, view), taps: [tap])[tap]
    else { preconditionFailure("no tap \(tap)") }
    let channels = features.shape[3]
    let values = features.values
    let deviations = (0..<channels).map { c -> Float in
      var (sum, squares) = (0.0, 0.0)
      for i in stride(from: c, to: values.count, by: channels) {
        sum += Double(values[i])
        squares += Double(values[i]) * Double(values[i])
      }
      let n = Double(values.count / channels)
      let variance = max(squares / n - (sum / n) * (sum / n), 0)
      // A channel that never changes carries nothing; leave it as it is.
      return variance > 1e-12 ? Float(1 / variance.squareRoot()) : 1
    }
    inverseDeviations[tap] = deviations
    return deviations
  }
}
