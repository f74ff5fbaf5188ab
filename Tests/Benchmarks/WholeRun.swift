import Distillation
import Experiments
import Foundation
import Reporting
import Tensors

/// A run as `student-train` makes it, with its views, replay proof, cache or live teacher, loss and
/// log, measured from step to step.
struct WholeRun {
  private let job: Job
  private let clock = PhaseClock()

  init(_ job: Job) { self.job = job }

  func measure() throws {
    guard let data = job.data, let output = job.output else {
      throw JobError(description: "run: no data or output folder")
    }
    let execution = Execution(threads: job.threads, clock: clock)
    let teacher: TeacherChoice =
      if let cache = job.cache {
        .cache(cache)
      } else if let weights = job.weights {
        .live(weights, architecture: nil, mean: nil, std: nil)
      } else {
        .none
      }
    let session = try TrainingSession(
      teacher: teacher, dataPath: data, initialWeights: nil,
      flags: job.settings.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, sets: [],
      recipe: nil, execution: execution)
    try? FileManager.default.removeItem(atPath: output)
    let run = try TrainingRun(
      session, directory: RunDirectory(output, configuration: session.configuration),
      execution: execution, progress: ProgressLine(quiet: true))
    let batch = session.configuration.settings.batchSize
    var meter = StepMeter(seconds: job.seconds, warmUp: min(job.seconds, 1), batch: batch)
    do {
      _ = try run.train(shouldStop: { meter.stepDone(clock, session.inputs.teacher) })
    } catch is Stopped {}
    say("PHASES", meter.phases.members(images: batch))
    try? FileManager.default.removeItem(atPath: output)
  }
}

/// Holds a conversation with `tools/bench` between the steps of a run.
private struct StepMeter {
  let seconds: Double
  let warmUp: Double
  let batch: Int
  private(set) var phases = PhaseTotals()
  private var times: [Double] = []
  private var last = ContinuousClock.now
  private var waitedBefore = 0.0
  private var isWarm = false

  init(seconds: Double, warmUp: Double, batch: Int) {
    self.seconds = seconds
    self.warmUp = warmUp
    self.batch = batch
  }

  /// Called after every step; true when the input has ended.
  mutating func stepDone(_ clock: PhaseClock, _ teacher: (any TeacherSource)?) -> Bool {
    let now = ContinuousClock.now
    times.append((now - last) / .seconds(1))
    last = now
    // The first steps make plans and buffers.
    guard times.count > 3, times.reduce(0, +) >= (isWarm ? seconds : warmUp) else { return false }
    if isWarm {
      let sums = clock.read()
      phases.add(sums, steps: times.count)
      var members: [(String, JSONValue)] = [
        ("images_per_second", .number(Double(batch) / median(times)))
      ]
      if let waited = teacher?.secondsWaited {
        members.append(("cache_wait", .number((waited - waitedBefore) / times.reduce(0, +))))
      }
      say("ROUND", members)
    } else {
      say("READY", [])
      isWarm = true
    }
    guard readLine() != nil else { return true }
    times = []
    waitedBefore = teacher?.secondsWaited ?? 0
    clock.reset()
    last = ContinuousClock.now
    return false
  }
}
