import CommandSupport
import Experiments
import Foundation
import Reporting
import Tensors

/// Runs of a sweep as processes of this program, a few at a time.
///
/// A child is in a process group of its own (Foundation starts it so): a Ctrl-C in the terminal
/// reaches the sweep alone, which passes it on as SIGTERM: a child that had the signal too, as from
/// pkill(1), is not told twice, and has the time to save.
struct SweepRunner {
  let output: String
  let parallel: Int
  let progress: ProgressLine
  let signals: StopSignals

  private struct Child {
    let run: SweepRun
    let process: Process
    /// Whether the run was finished before, so that its process has nothing to train.
    let wasFinished: Bool

    func send(_ signal: Int32) {
      if process.isRunning { kill(process.processIdentifier, signal) }
    }
  }

  /// Runs all, in order, and gives what they came to in the same order; a run that fails, or cannot be
  /// started, does not stop the others. nil after a signal, when all children have saved and ended.
  ///
  /// - Parameter arguments: what a run is started with.
  func run(_ runs: [SweepRun], arguments: (SweepRun) -> [String]) -> [SweepOutcome]? {
    var outcomes: [String: SweepOutcome] = [:]
    var waiting = runs[...]
    var children: [Child] = []
    var passedOn = false
    var trained = 0
    var waitedFor: Set<String> = []
    let begin = ContinuousClock.now
    while !waiting.isEmpty || !children.isEmpty {
      if signals.pending != nil, !passedOn {
        passedOn = true
        waiting = []
        for child in children { child.send(SIGTERM) }
        progress.note(
          children.count == 1
            ? "stopping: 1 run saves where it is"
            : "stopping: \(children.count) runs save where they are")
      }
      if signals.takeCheckpoint() {
        // One that has not taken its run's lock would still die of it.
        for child in children where RunDirectory.isBusy(folder(child.run)) { child.send(SIGUSR1) }
      }
      while children.count < parallel, let next = waiting.first {
        // The child of a sweep that was killed trains on.
        if RunDirectory.isBusy(folder(next)) {
          if waitedFor.insert(next.name).inserted {
            progress.note("\(next.name): waits for another student-train that works there")
          }
          break
        }
        waiting.removeFirst()
        do {
          let summary = folder(next) + "/summary.json"
          let wasFinished = FileManager.default.fileExists(atPath: summary)
          children.append(
            Child(
              run: next, process: try start(next, arguments(next)), wasFinished: wasFinished))
        } catch {
          let failure =
            error as? Failure ?? failure(for: error) ?? Failure(Status.software, "\(error)")
          outcomes[next.name] = SweepOutcome(next, status: failure.status, folder: folder(next))
          progress.note("\(next.name): could not be started: \(failure.message)")
        }
      }
      var ended: Set<String> = []
      for child in children where !child.process.isRunning {
        ended.insert(child.run.name)
        let status = status(of: child.process)
        // The child of a killed sweep, or another sweep, has begun the run while this one looked.
        if status == Status.tryAgain, !passedOn, RunDirectory.isBusy(folder(child.run)) {
          waiting.insert(child.run, at: waiting.startIndex)
          continue
        }
        let outcome = SweepOutcome(child.run, status: status, folder: folder(child.run))
        outcomes[child.run.name] = outcome
        if !child.wasFinished { trained += 1 }
        if !passedOn { progress.note(line(outcome)) }
      }
      children.removeAll { ended.contains($0.run.name) }
      progress.update {
        "\(outcomes.count) of \(runs.count) runs done; "
          + timeLeft(trained, rest: runs.count - outcomes.count, since: begin)
          + children.map { "\($0.run.name) epoch \(epochs($0.run) + 1)" }.joined(separator: ", ")
      }
      usleep(20_000)
    }
    progress.clear()
    return passedOn ? nil : runs.compactMap { outcomes[$0.name] }
  }

  /// What the rest takes if each run takes as long as those that were trained; nothing before the first.
  private func timeLeft(
    _ trained: Int, rest: Int, since begin: ContinuousClock.Instant
  ) -> String {
    guard trained > 0 else { return "" }
    let seconds = (ContinuousClock.now - begin).seconds / Double(trained) * Double(rest)
    return "\(durationText(seconds)) left; "
  }

  func folder(_ run: SweepRun) -> String { "\(output)/\(run.name)" }

  /// What a run prints goes to train.log in its folder, behind what is there.
  private func start(_ run: SweepRun, _ arguments: [String]) throws -> Process {
    try makeDirectory(folder(run))
    let path = folder(run) + "/train.log"
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else {
      throw Failure(Status.io, "\(path): cannot be written: \(String(cString: strerror(errno)))")
    }
    let log = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    let process = Process()
    // A newer build may have taken the place of this program's file, which then is there only so.
    let program = executablePath()
    process.executableURL = URL(
      fileURLWithPath: program.hasSuffix(" (deleted)") ? "/proc/self/exe" : program)
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    (process.standardOutput, process.standardError) = (log, log)
    try process.run()
    return process
  }

  /// The code of a run; one that something else killed can be tried again, one that crashed not.
  private func status(of process: Process) -> Int32 {
    guard process.terminationReason == .uncaughtSignal else { return process.terminationStatus }
    switch process.terminationStatus {
    case SIGINT, SIGTERM: return 128 + process.terminationStatus
    case SIGKILL, SIGHUP, SIGXCPU: return Status.tryAgain
    default: return Status.software
    }
  }

  private func epochs(_ run: SweepRun) -> Int {
    let lines = FileManager.default.contents(atPath: folder(run) + "/metrics.jsonl") ?? Data()
    return lines.count { $0 == UInt8(ascii: "\n") }
  }

  private func line(_ outcome: SweepOutcome) -> String {
    guard outcome.status == 0 else {
      return "\(outcome.run.name): ended with code \(outcome.status): \(lastLine(outcome.run))"
    }
    let top1 = outcome.summary["test_top1_last"].map { String(format: "%.2f", $0) } ?? "?"
    return "\(outcome.run.name): top-1 \(top1) %, "
      + durationText(outcome.summary["seconds"] ?? 0)
  }

  private func lastLine(_ run: SweepRun) -> String {
    let log = FileManager.default.contents(atPath: folder(run) + "/train.log") ?? Data()
    return String(decoding: log, as: UTF8.self).split(separator: "\n").last.map(String.init)
      ?? "it said nothing"
  }
}
