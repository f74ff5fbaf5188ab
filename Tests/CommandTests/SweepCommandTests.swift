import Foundation
import Testing

/// `student-train sweep` as a user calls it.
@Suite(.serialized) struct SweepCommandTests {
  /// A folder with a cache, and the arguments of a sweep of it into `sweep`.
  private func job(_ more: [String]) throws -> (scratch: Scratch, arguments: [String]) {
    let (scratch, _) = try SmallCache.make()
    let arguments =
      [
        "sweep", "--cache", scratch.path + "/cache", "--data", Program.digits, "--student",
        "resnet8", "--milestones", "none", "--batch-size", "10", "--eval-every", "1000",
        "--threads", "2", "--output", scratch.path + "/sweep",
      ] + more
    return (scratch, arguments)
  }

  private func file(_ scratch: Scratch, _ name: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: "\(scratch.path)/sweep/\(name)"))
  }

  @Test func theTableIsOfOrdinaryRunsThatAreNotRepeated() throws {
    let (scratch, arguments) = try job([
      "--method", "kd,dkd", "--seeds", "0,1", "--epochs", "2", "--set", "dkd.beta=2",
      "--parallel", "2",
    ])
    let result = try Program.run("student-train", arguments)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("| kd | 2 |"))
    #expect(result.output.contains("| dkd | 2 |"))
    #expect(try file(scratch, "sweep.md") == Data(result.output.utf8))
    let csv = String(decoding: try file(scratch, "sweep.csv"), as: UTF8.self)
    // Worked out again from the runs.
    let tops = try ["kd-seed=0", "kd-seed=1"].map { name in
      let summary = try Program.json(
        String(decoding: file(scratch, name + "/summary.json"), as: UTF8.self))
      return try #require(summary["test_top1_last"] as? Double)
    }
    let mean = (tops[0] + tops[1]) / 2
    let line = try #require(csv.split(separator: "\n").first { $0.hasPrefix("\"kd\"") })
    let cell = try #require(Double(line.split(separator: ",")[3]))
    #expect(abs(cell - mean) < 1e-9)
    #expect(try file(scratch, "sweep.tex").isEmpty == false)
    let report = String(decoding: try file(scratch, "report.html"), as: UTF8.self)
    #expect(report.hasPrefix("<!DOCTYPE html>") && report.contains("</html>"))
    // The same as a run without a sweep.
    let alone = try Program.run(
      "student-train",
      [
        "--cache", scratch.path + "/cache", "--data", Program.digits, "--student", "resnet8",
        "--milestones", "none", "--batch-size", "10", "--eval-every", "1000", "--method", "dkd",
        "--set", "dkd.beta=2", "--seed", "1", "--epochs", "2", "--output",
        scratch.path + "/sweep/alone",
      ])
    #expect(alone.status == 0, "\(alone.errors)")
    for name in ["last.safetensors", "config.yaml"] {
      let same = try file(scratch, "alone/\(name)") == file(scratch, "dkd-seed=1/\(name)")
      #expect(same, "\(name)")
    }
    // Once more: nothing is trained, one more seed is.
    let before = try file(scratch, "kd-seed=0/metrics.jsonl")
    let more = arguments.map { $0 == "0,1" ? "0,1,2" : $0 }
    let grown = try Program.run("student-train", more)
    #expect(grown.status == 0, "\(grown.errors)")
    #expect(grown.output.contains("| kd | 3 |"))
    let same = try file(scratch, "kd-seed=0/metrics.jsonl") == before
    #expect(same)
  }

  @Test func aRunThatFailsDoesNotStopTheOthers() throws {
    let (scratch, arguments) = try job([
      "--method", "kd", "--vary", "lr=1e30,0.01", "--epochs", "2",
    ])
    let result = try Program.run("student-train", arguments)
    #expect(result.status == 65, "\(result.errors)")
    #expect(result.errors.contains("1 of 2 runs failed: kd-lr=1e30 (65)"), "\(result.errors)")
    #expect(result.output.contains("| kd, lr=0.01 | 1 |"))
    #expect(result.output.contains("| kd, lr=1e30 | 0 of 1 |"))
    #expect(try file(scratch, "kd-lr=0.01/summary.json").isEmpty == false)
  }

  @Test func aRunThatCannotBeStartedDoesNotStopTheOthers() throws {
    let (scratch, arguments) = try job(["--method", "kd", "--seeds", "0,1", "--epochs", "1"])
    try FileManager.default.createDirectory(
      atPath: scratch.path + "/sweep/kd-seed=0/train.log", withIntermediateDirectories: true)
    let result = try Program.run("student-train", arguments)
    #expect(result.status == 74, "\(result.errors)")
    #expect(result.errors.contains("kd-seed=0: could not be started"), "\(result.errors)")
    #expect(result.output.contains("| kd | 1 of 2 |"), "\(result.output)")
  }

  @Test func theFoldersOfAllRunsAreLookedAtBeforeTheFirstBegins() throws {
    let (scratch, arguments) = try job(["--method", "kd", "--seeds", "0,1", "--epochs", "1"])
    let last = scratch.path + "/sweep/kd-seed=1"
    try FileManager.default.createDirectory(atPath: last, withIntermediateDirectories: true)
    let config = URL(fileURLWithPath: last + "/config.yaml")
    for (text, says) in [
      ("epochs: 7\n", "kd-seed=1: \(last) holds a run with"), (nil, "is a file"),
    ] {
      if let text {
        try Data(text.utf8).write(to: config)
      } else {
        try FileManager.default.removeItem(atPath: last)
        try Data().write(to: URL(fileURLWithPath: last))
      }
      let before = try scratch.listing()
      let result = try Program.run("student-train", arguments)
      #expect(result.status == 73 && result.errors.contains(says), "\(result.errors)")
      #expect(try scratch.listing() == before)
    }
  }

  @Test func aSweepWithoutARunLeavesTheTablesOfAnother() throws {
    let (scratch, arguments) = try job(["--method", "kd", "--epochs", "1"])
    let first = try Program.run("student-train", arguments)
    #expect(first.status == 0, "\(first.errors)")
    let table = try file(scratch, "sweep.md")
    let refused = try Program.run("student-train", arguments + ["--lr", "0.01"])
    #expect(refused.status == 73, "\(refused.errors)")
    #expect(try file(scratch, "sweep.md") == table)
  }

  @Test func theFolderOfARunOrOfACacheIsRefused() throws {
    let (scratch, arguments) = try job(["--method", "kd", "--epochs", "1"])
    #expect(try Program.run("student-train", arguments).status == 0)
    let before = try scratch.listing()
    for (folder, says) in [("cache", "teacher cache"), ("sweep/kd", "holds a run")] {
      let result = try Program.run(
        "student-train",
        arguments.map { $0 == scratch.path + "/sweep" ? scratch.path + "/" + folder : $0 })
      #expect(result.status == 73 && result.errors.contains(says), "\(result.errors)")
    }
    #expect(try scratch.listing() == before)
  }

  @Test func anInterruptSavesEveryRunAndTheSameCommandGoesOn() throws {
    let (scratch, arguments) = try job([
      "--method", "kd", "--seeds", "0,1,2", "--epochs", "30", "--parallel", "2",
    ])
    let sweep = try Program.start("student-train", arguments)
    let started = ["kd-seed=0", "kd-seed=1"].map { "\(scratch.path)/sweep/\($0)/metrics.jsonl" }
    let end = Date() + 60
    while Date() < end, !started.allSatisfy({ FileManager.default.fileExists(atPath: $0) }) {
      usleep(10_000)
    }
    kill(sweep.processIdentifier, SIGINT)
    sweep.waitUntilExit()
    #expect(sweep.terminationReason == .exit)
    #expect(sweep.terminationStatus == 130)
    for name in ["kd-seed=0", "kd-seed=1"] {
      #expect(try file(scratch, name + "/state.safetensors").isEmpty == false)
      let log = String(decoding: try file(scratch, name + "/train.log"), as: UTF8.self)
      #expect(log.contains("the run is saved"), "\(log)")
    }
    #expect(FileManager.default.fileExists(atPath: scratch.path + "/sweep/sweep.md") == false)
    let result = try Program.run("student-train", arguments)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains("| kd | 3 |"))
    let log = String(decoding: try file(scratch, "kd-seed=0/train.log"), as: UTF8.self)
    #expect(log.contains("going on from epoch"))
  }

  /// As `pkill student-train` does, and `timeout` to a group; the sweep passes it on besides.
  @Test(arguments: [SIGINT, SIGTERM]) func aSignalToAllProcessesSavesEveryRun(signal: Int32) throws
  {
    // Without a cache there are images enough for a step that takes longer than the sweep to notice.
    let (scratch, arguments) = try job([
      "--method", "ce", "--dataset", "mnist", "--epochs", "400", "--student", "resnet110",
      "--batch-size", "256",
    ])
    let sweep = try Program.start(
      "student-train", arguments.filter { $0 != "--cache" && !$0.hasSuffix("/cache") })
    let run = scratch.path + "/sweep/ce"
    let end = Date() + 60
    while Date() < end, !FileManager.default.fileExists(atPath: run + "/config.yaml") {
      usleep(10_000)
    }
    let tasks = "/proc/\(sweep.processIdentifier)/task"
    let children = try FileManager.default.contentsOfDirectory(atPath: tasks).flatMap { task in
      (try? String(contentsOfFile: "\(tasks)/\(task)/children", encoding: .utf8))?
        .split(separator: " ").compactMap { Int32($0) } ?? []
    }
    try #require(children.count == 1)
    usleep(100_000)
    for process in children + [sweep.processIdentifier] { kill(process, signal) }
    sweep.waitUntilExit()
    #expect(sweep.terminationReason == .exit && sweep.terminationStatus == 128 + signal)
    #expect(FileManager.default.fileExists(atPath: run + "/state.safetensors"))
    let log = String(decoding: try file(scratch, "ce/train.log"), as: UTF8.self)
    #expect(log.contains("the run is saved"), "\(log)")
  }

  @Test(arguments: [
    (["--method", "kd,kdd"], "kdd"), (["--method", "kd", "--vary", "lrr=1,2"], "did you mean lr?"),
    (["--method", "kd", "--vary", "lr=1,x"], "lr is \"x\""),
    (["--method", "kd", "--parallel", "0"], "--parallel"),
    (["--method", "kd", "--seeds", "0,a"], "seed is \"a\""),
    (["--method", "kd", "--write-through"], "--write-through"),
  ])
  func slipsAreFoundBeforeTheFirstRun(more: [String], says: String) throws {
    let (scratch, arguments) = try job(["--epochs", "1"] + more)
    let result = try Program.run("student-train", arguments)
    #expect(result.status == 64, "\(result.errors)")
    #expect(result.errors.contains(says), "\(result.errors)")
    #expect(FileManager.default.fileExists(atPath: scratch.path + "/sweep") == false)
  }

  @Test func aDataSetIsGivenOrVaried() throws {
    let (scratch, arguments) = try job([
      "--method", "ce", "--epochs", "1", "--dataset", "mnist", "--vary",
      "dataset=mnist,fashion-mnist",
    ])
    let result = try Program.run(
      "student-train", arguments.filter { $0 != "--cache" && !$0.hasSuffix("/cache") })
    #expect(result.status == 64, "\(result.errors)")
    #expect(result.errors.contains("dataset is set for all runs and varied"), "\(result.errors)")
    #expect(FileManager.default.fileExists(atPath: scratch.path + "/sweep") == false)
  }

  /// CRLD needs strong views, which this cache lacks: that is said before KD has trained.
  @Test func whatOneRunLacksIsSaidBeforeTheFirst() throws {
    let (scratch, arguments) = try job(["--method", "kd,crld", "--epochs", "1"])
    let result = try Program.run("student-train", arguments)
    #expect(result.status == 66, "\(result.errors)")
    #expect(result.errors.contains("crld: ") && result.errors.contains("this adds it"))
    #expect(FileManager.default.fileExists(atPath: scratch.path + "/sweep") == false)
  }

  @Test func theChildOfAKilledSweepIsWaitedFor() throws {
    let (scratch, arguments) = try job(["--method", "kd", "--epochs", "60"])
    let sweep = try Program.start("student-train", arguments)
    let log = scratch.path + "/sweep/kd/metrics.jsonl"
    let end = Date() + 60
    while Date() < end, !FileManager.default.fileExists(atPath: log) { usleep(10_000) }
    kill(sweep.processIdentifier, SIGKILL)
    sweep.waitUntilExit()
    let result = try Program.run("student-train", arguments)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("kd: waits for another student-train"), "\(result.errors)")
    #expect(result.output.contains("| kd | 1 |"))
  }

  @Test func aCheckpointIsPassedOnAndATerminalThatGoesAwayStopsAll() throws {
    let (scratch, arguments) = try job(["--method", "kd", "--epochs", "400"])
    let sweep = try Program.start("student-train", arguments)
    let run = scratch.path + "/sweep/kd"
    func wait(for name: String) {
      let end = Date() + 60
      while Date() < end, !FileManager.default.fileExists(atPath: "\(run)/\(name)") {
        usleep(10_000)
      }
    }
    wait(for: "metrics.jsonl")
    // Checkpoints are written at evaluations and when somebody asks.
    kill(sweep.processIdentifier, SIGUSR1)
    wait(for: "state.safetensors")
    #expect(FileManager.default.fileExists(atPath: run + "/state.safetensors"))
    // Shell and kernel both tell of it.
    kill(sweep.processIdentifier, SIGHUP)
    usleep(2000)
    kill(sweep.processIdentifier, SIGHUP)
    sweep.waitUntilExit()
    #expect(sweep.terminationReason == .exit && sweep.terminationStatus == 129)
    let log = String(decoding: try file(scratch, "kd/train.log"), as: UTF8.self)
    #expect(log.contains("the run is saved"), "\(log)")
  }
}
