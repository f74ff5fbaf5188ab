import Distillation
import Networks
import Reporting
import Tensors

/// The bare training step: what is left of training when images and teacher outputs are in memory.
final class TrainingStep {
  private let job: Job
  private let clock = PhaseClock()
  private let execution: Execution
  private let network: Classifier
  private let method: any DistillationMethod
  private let optimizer: SGD
  private let batches: [SyntheticBatch]
  private var steps = 0
  private var lastLoss = 0.0

  init(_ job: Job) throws {
    self.job = job
    execution = Execution(threads: job.threads, clock: clock)
    network = try Architecture.make(job.network, classes: job.classes)
    network.initialize(seed: 1)
    switch job.loss {
    case "ce": method = CrossEntropyMethod()
    case "kd": method = KDMethod(temperature: 4)
    case "crld": method = CRLDMethod(temperature: 4)
    default: throw JobError(description: "loss is \(job.loss); expected ce, kd or crld")
    }
    optimizer = SGD(network.parameters, momentum: 0.9, weightDecay: 5e-4)
    let views = method.views.count
    let threads = execution
    batches = (0..<4).map {
      SyntheticBatch(number: $0, views: views, size: job.batch, classes: job.classes, on: threads)
    }
  }

  /// Warms up, then serves rounds; at the end says where the time went.
  func measure() throws {
    _ = try stopwatch(seconds: min(job.seconds, 1), run)
    var phases = PhaseTotals()
    try serve {
      clock.reset()
      let times = try stopwatch(seconds: job.seconds, run)
      phases.add(clock.read(), steps: times.count)
      let seconds = median(times)
      let operations = PhaseTotals.operations(clock.read()) / Double(times.count)
      return [
        ("images_per_second", .number(Double(job.batch) / seconds)),
        ("gflops", .number(operations / seconds * 1e-9)),
      ]
    }
    say("PHASES", phases.members(images: job.batch))
  }

  /// Forward for each view, loss, backward in reverse order, update: as the trainer does it.
  private func run() throws {
    let batch = batches[steps % batches.count]
    steps += 1
    var said: [Matrix] = []
    for images in batch.views {
      let output = network.forward(images, training: 0..<network.partCount, on: execution)
      guard let logits = output.logits?.values else { preconditionFailure("no logits") }
      said.append(Matrix(rows: job.batch, columns: job.classes, floats: logits))
    }
    let outer = execution.enter(.loss)
    let loss = method.loss(
      student: said, teacher: method.needsTeacher ? batch.teacher : [], labels: batch.labels,
      epoch: 0)
    execution.leave(outer)
    lastLoss = loss.total
    guard lastLoss.isFinite else { throw JobError(description: "the loss is not finite") }
    for gradient in loss.gradients.reversed() {
      let tensor = Tensor(gradient.floats, shape: [gradient.rows, gradient.columns])
      network.backward(logits: tensor, features: [:], on: execution)
    }
    optimizer.step(learningRate: 0.01, on: execution)
  }
}

/// Random images, labels and teacher logits.
struct SyntheticBatch {
  /// N×32×32×3, one tensor a view.
  let views: [Tensor]
  let labels: [Int]
  let teacher: [TeacherLogits]

  init(number: Int, views count: Int, size: Int, classes: Int, on execution: Execution) {
    var random = RandomStream(key: 1, stream: (UInt32(number), 0, 0))
    views = (0..<count).map { _ in
      Tensor(
        (0..<size * 32 * 32 * 3).map { _ in Float(random.normal()) }, shape: [size, 32, 32, 3])
    }
    labels = (0..<size).map { _ in random.below(classes) }
    teacher = (0..<count).map { _ in
      TeacherLogits(
        Matrix(
          rows: size, columns: classes,
          floats: (0..<size * classes).map { _ in Float(3 * random.normal()) }))
    }
  }
}

/// A teacher's pass over images in memory, batch norms folded into convolutions.
final class TeacherInference {
  private let job: Job
  private let clock = PhaseClock()

  init(_ job: Job) { self.job = job }

  func measure() throws {
    let execution = Execution(threads: job.threads, clock: clock)
    let network = try Architecture.make(job.network, classes: job.classes)
    network.initialize(seed: 1)
    let batches = (0..<4).map {
      SyntheticBatch(number: $0, views: 1, size: job.batch, classes: job.classes, on: execution)
    }
    var passes = 0
    func run() {
      let images = batches[passes % batches.count].views[0]
      passes += 1
      _ = network.forward(images, training: 0..<0, on: execution)
    }
    _ = stopwatch(seconds: min(job.seconds, 1), run)
    var phases = PhaseTotals()
    serve {
      clock.reset()
      let times = stopwatch(seconds: job.seconds, run)
      phases.add(clock.read(), steps: times.count)
      let seconds = median(times)
      let operations = PhaseTotals.operations(clock.read()) / Double(times.count)
      return [
        ("images_per_second", .number(Double(job.batch) / seconds)),
        ("gflops", .number(operations / seconds * 1e-9)),
      ]
    }
    say("PHASES", phases.members(images: job.batch))
  }
}
