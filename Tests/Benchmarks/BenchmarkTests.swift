import Foundation
import Networks
import PeakKernel
import Reporting
import Tensors
import Testing

/// Figures, not checks: `tools/bench` runs this one test again and again, once per process.
@Suite struct BenchmarkTests {
  @Test(.enabled(if: Job.text != nil, "measured by tools/bench"))
  func measuresWhatToolsBenchAsksFor() throws {
    let text = try #require(Job.text)
    let job = try JSONDecoder().decode(Job.self, from: Data(text.utf8))
    switch job.mode {
    case .machine:
      say(
        "RESULT",
        [
          ("kernel_level", .string(KernelLevel.name)),
          ("networks", .array(Architecture.names.map(JSONValue.string))),
        ])
      return
    case .peak: measurePeak(job)
    case .train: try TrainingStep(job).measure()
    case .infer: try TeacherInference(job).measure()
    case .convolution: try SingleConvolution(job).measure()
    case .run: try WholeRun(job).measure()
    case .reads: try CacheReads(job).measure()
    case .views: try ViewCosts(job).measure()
    case .weights: try writeWeights(job)
    }
    say("RESULT", [("peak_bytes", peakResidentBytes().map(JSONValue.integer) ?? .null)])
  }
}

/// Multiply-adds on all threads at once: the best of the round, as nothing can be faster.
private func measurePeak(_ job: Job) {
  let execution = Execution(threads: job.threads)
  let results = Tensor([job.threads, 16], in: execution.memory)
  serve {
    let rounds = 2_000_000
    var operations = 0.0
    let times = stopwatch(seconds: job.seconds) {
      execution.parallel(job.threads) { thread in
        let done = peak_run(rounds, results.pointer + 16 * thread)
        if thread == 0 { operations = done * Double(job.threads) }
      }
    }
    return [("gflops", .number(operations / (times.min() ?? .infinity) * 1e-9))]
  }
}

/// A teacher for runs whose speed alone counts: first weights, and running statistics that fit them,
/// so that its logits are of the usual size.
private func writeWeights(_ job: Job) throws {
  guard let path = job.weights else { throw JobError(description: "weights: no file") }
  let execution = Execution(threads: job.threads)
  let network = try Architecture.make(job.network, classes: job.classes)
  network.initialize(seed: 1)
  for number in 0..<32 {
    let batch = SyntheticBatch(
      number: number, views: 1, size: 8, classes: job.classes, on: execution)
    _ = network.forward(batch.views[0], training: 0..<network.partCount, on: execution)
    // The layers keep what a backward pass needs until there is one.
    network.backward(logits: nil, features: [:], on: execution)
  }
  try network.state(metadata: ["architecture": network.architecture, "format": "pt"])
    .write(to: path)
}
