import Foundation
import Networks
import Testing

/// Signals to a training program: what batch systems and impatient people send.
@Suite(.serialized) struct SignalTests {
  private let scratch: Scratch

  init() throws { scratch = try Scratch() }

  private func path(_ run: String, _ file: String) -> String { "\(scratch.path)/\(run)/\(file)" }

  /// One epoch of 500 steps, so that no checkpoint is due before its end.
  private func arguments(_ run: String, _ more: String...) -> [String] {
    [
      "--method", "ce", "--dataset", "mnist", "--data", Program.digits, "--student", "resnet8",
      "--epochs", "1", "--milestones", "none", "--batch-size", "8", "--ema-decay", "0.9",
      "--output", "\(scratch.path)/\(run)",
    ] + more
  }

  private func wait(for file: String, of process: Process) throws {
    while process.isRunning, !FileManager.default.fileExists(atPath: file) { usleep(500) }
    try #require(process.isRunning)
  }

  @Test func oneSignalSavesAndGoesOnAndAnotherSavesAndStopsWith75() throws {
    let process = try Program.start("student-train", arguments("run"))
    let state = path("run", "state.safetensors")
    try wait(for: path("run", "config.yaml"), of: process)
    kill(process.processIdentifier, SIGUSR1)
    try wait(for: state, of: process)
    let step = { try #require(Int(SafeTensors.read(state).metadata["step"] ?? "")) }
    let saved = try step()
    #expect((1..<500).contains(saved))
    kill(process.processIdentifier, SIGUSR2)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 75)
    #expect((saved...500).contains(try step()))

    let resumed = try Program.run("student-train", arguments("run"))
    #expect(resumed.status == 0, "\(resumed.errors)")
    #expect(resumed.errors.contains("going on from epoch 1"))
    #expect(!resumed.errors.contains("a run on one machine"))
    let whole = try Program.run("student-train", arguments("whole"))
    try #require(whole.status == 0, "\(whole.errors)")
    for file in ["last.safetensors", "ema.safetensors"] {
      let bytes = try ["whole", "run"].map {
        try Data(contentsOf: URL(fileURLWithPath: path($0, file)))
      }
      let same = bytes[0] == bytes[1]
      #expect(same, "\(file)")
    }
  }

  @Test func aSecondInterruptEndsTheProgramAtOnce() throws {
    // A step of this network and batch takes far longer than the time between the two.
    let process = try Program.start(
      "student-train",
      arguments("slow", "--student", "resnet110", "--batch-size", "1000", "--threads", "1"))
    try wait(for: path("slow", "config.yaml"), of: process)
    usleep(100_000)
    kill(process.processIdentifier, SIGINT)
    usleep(100_000)
    #expect(process.isRunning)
    kill(process.processIdentifier, SIGINT)
    process.waitUntilExit()
    #expect(process.terminationReason == .uncaughtSignal)
    #expect(process.terminationStatus == SIGINT)
    #expect(!FileManager.default.fileExists(atPath: path("slow", "state.safetensors")))
  }

  /// A scheduler that warns, then takes the machine: its 75 is what the job is put back for.
  @Test func theFirstOfTwoSignalsHasItsCode() throws {
    for (signals, code) in [
      ([SIGUSR2, SIGTERM], 75), ([SIGTERM, SIGUSR2], 143), ([SIGTERM, SIGTERM], 143),
      ([SIGINT, SIGTERM, SIGTERM], 130),
    ] as [([Int32], Int32)] {
      let run = "run-" + signals.map { "\($0)" }.joined(separator: "-")
      let process = try Program.start(
        "student-train", arguments(run, "--student", "resnet110", "--batch-size", "256"))
      try wait(for: path(run, "config.yaml"), of: process)
      usleep(100_000)
      for signal in signals {
        try #require(process.isRunning)
        kill(process.processIdentifier, signal)
        usleep(20_000)
      }
      process.waitUntilExit()
      #expect(process.terminationReason == .exit)
      #expect(process.terminationStatus == code)
    }
  }

  @Test func aDumpMindsTheSameSignals() throws {
    let small = try SmallCache.scratch()
    let process = try Program.start("teacher-dump", SmallCache.dump(small, views: "weak:2000"))
    try wait(for: small.path + "/cache/manifest.json", of: process)
    kill(process.processIdentifier, SIGUSR1)
    usleep(100_000)
    #expect(process.isRunning)
    kill(process.processIdentifier, SIGUSR2)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 75)
  }

  /// What a failed precondition does to an optimised program.
  @Test(arguments: [SIGILL, SIGTRAP, SIGABRT]) func aTrapIsABugAndHasItsCode(signal: Int32) throws {
    let process = try Program.start("student-train", arguments("run"))
    try wait(for: path("run", "config.yaml"), of: process)
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 70)
  }

  @Test func goingOnWithOtherArithmeticIsSaid() throws {
    let process = try Program.start("student-train", arguments("run"))
    try wait(for: path("run", "config.yaml"), of: process)
    kill(process.processIdentifier, SIGINT)
    process.waitUntilExit()
    try #require(process.terminationStatus == 130)
    let version = try Program.run("student-train", ["--version"])
    guard version.output.contains("kernels here: avx") else { return }
    let other = try Program.run(
      "student-train", arguments("run"), environment: ["KERNEL_LEVEL": "baseline"])
    #expect(other.status == 0)
    #expect(
      other.errors.contains("saved by x86 with FMA and goes on with x86 without FMA"),
      "\(other.errors)")
  }

  @Test func aRunThatDivergesStopsWith65AndNamesStepImagesAndCheckpoint() throws {
    let result = try Program.run("student-train", arguments("run", "--lr", "1e30"))
    #expect(result.status == 65)
    for text in ["is not finite at step", "holds images", "no checkpoint was written before"] {
      #expect(result.errors.contains(text), "\(result.errors)")
    }
  }
}
