import ArgumentParser
import CommandSupport
import Experiments
import Foundation
import Reporting

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a student (the default command).",
    discussion: """
      With --cache the teacher's outputs are read from the cache; with --teacher \
      the teacher runs live on the same views, which is what cached training is \
      compared with; --method ce needs neither. With both and --write-through the \
      teacher runs live where the cache has nothing yet, the student trains on what \
      is stored, and at the end the cache is complete. Settings of a method are --set keys: \
      dkd.beta, bkd.reweight_from_epoch, sskd.freeze, crld.mask, … The same command \
      goes on where an interrupted run stopped.

      SIGINT, SIGTERM and SIGHUP finish the step, write a checkpoint and stop with 130, 143 \
      or 129, a second SIGINT stops at once; SIGUSR1 writes a checkpoint and goes on; SIGUSR2 \
      writes one and stops with 75. A loss, gradient or weight that is not finite stops \
      with 65 and leaves the last checkpoint as it was.

      Examples:
        student-train --cache caches/r56 --data DIR --method dkd \\
                      --set dkd.beta=2 --student resnet20 --output runs/dkd
        student-train --teacher r56.safetensors --dataset cifar100 --data DIR \\
                      --method kd --views weak:4 --student resnet20 \\
                      --output runs/live
        student-train --recipe cifar100-resnet56-resnet20-crld --print-config
        student-train --teacher r56.safetensors --cache caches/r56 --write-through \\
                      --dataset cifar100 --data DIR --views weak:16,strong:16 \\
                      --method crld --student resnet20 --output runs/first
      """)

  @OptionGroup(title: "Teacher and images") var source: SourceOptions
  @OptionGroup(title: "Filling a cache") var storing: WriteThroughOptions
  @OptionGroup(title: "Training") var settings: SettingOptions
  @OptionGroup var threads: ThreadOptions

  @Option(help: ArgumentHelp("Folder of the run.", valueName: "dir"))
  var output: String?
  @Flag(help: "Only go on with a run that is there; without it a new one may begin.")
  var resume = false
  @Flag(
    help: ArgumentHelp(
      "Print the resolved configuration and stop: with --data what config.yaml would hold, "
        + "without it the settings."))
  var printConfig = false
  @Flag(help: "No progress on standard error.")
  var quiet = false

  func run() throws {
    if printConfig {
      let (configuration, notes) = try source.preview(
        settings, storing, on: threads.makeExecution(), output: output)
      for note in notes { ProgressLine(quiet: quiet).note("note: \(note)") }
      printResult(configuration.yaml, terminator: "")
      return
    }
    try source.requireData()
    guard let output else {
      throw Failure(Status.usage, "--output is missing: the folder of the run")
    }
    if resume, !FileManager.default.fileExists(atPath: output + "/config.yaml") {
      throw Failure(Status.noInput, "\(output) holds no run to go on with; leave out --resume")
    }
    let signals = StopSignals()
    let progress = ProgressLine(quiet: quiet)
    let execution = try threads.makeExecution()
    let session = try source.openSession(settings, storing, on: execution, output: output)
    for note in session.notes { progress.note("note: \(note)") }
    let directory = try RunDirectory(output, configuration: session.configuration)
    let shouldStop = { signals.pending != nil }
    do {
      if case .finished = directory.progress {
        try session.finishCache(progress: progress, shouldStop: shouldStop)
        progress.note("\(output) holds this run, finished; nothing to do")
        printResult(try directory.summary(), terminator: "")
        return
      }
      let run = try TrainingRun(
        session, directory: directory, execution: execution, progress: progress)
      let summary = try run.train(shouldSave: signals.takeCheckpoint, shouldStop: shouldStop)
      printResult(summary.lines)
    } catch is Stopped {
      throw Failure(
        signals.status, "stopped; the run is saved, the same command goes on with it")
    }
  }
}
