import ArgumentParser
import CommandSupport
import Experiments
import FileIO
import Foundation
import Reporting

struct Sweep: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train many students from one cache: seeds, methods, settings.",
    discussion: """
      --method, --student and --recipe take comma-separated lists here, --seeds a list of \
      seeds, and --vary a setting and the values it takes. Every combination is a run of its \
      own in a folder below --output, named by what differs; a setting of one method multiplies \
      only the runs of that method. The same command goes on with a sweep that was stopped; runs \
      that are finished are not repeated. At the end there is one table: mean ± standard \
      deviation over the seeds, in sweep.md, sweep.csv and sweep.tex, and one report.html of all \
      runs. A run that fails does not stop the others; the sweep then ends with the code of the \
      first that failed.

      Examples:
        student-train sweep --cache caches/r56 --data DIR --student resnet20 \\
                      --method kd,dkd,crld --seeds 0,1,2 --output runs/methods
        student-train sweep --cache caches/r56 --data DIR --student resnet20 \\
                      --method crld --vary crld.tau_w=0.8,0.9 --vary lr=0.02,0.05 \\
                      --parallel 2 --output runs/thresholds
        student-train sweep --cache caches/lt100 --data DIR --seeds 0,1,2 \\
                      --recipe cifar100-lt100-kd,cifar100-lt100-bkd \\
                      --output runs/long-tailed
      """)

  @OptionGroup(title: "Teacher and images") var source: SourceOptions
  @OptionGroup(title: "Training") var settings: SettingOptions
  @OptionGroup var threads: ThreadOptions

  @Option(help: ArgumentHelp("The seeds of each combination.", valueName: "list"))
  var seeds: String?
  @Option(
    help: ArgumentHelp(
      "A setting and its values, such as crld.tau_w=0.8,0.9; values with commas are parted by "
        + "semicolons: 'milestones=150,180;100,150'.",
      valueName: "key=values"))
  var vary: [String] = []
  @Option(help: ArgumentHelp("Runs at a time, which share the threads.", valueName: "n"))
  var parallel = 1
  @Option(help: ArgumentHelp("Folder of the sweep.", valueName: "dir"))
  var output: String
  @Flag(help: "No progress on standard error.")
  var quiet = false

  func run() throws {
    guard (1...1024).contains(parallel) else {
      throw Failure(Status.usage, "--parallel is \(parallel); expected 1 to 1024")
    }
    let common = try ["train"] + source.arguments()
    var plan = try settings.makePlan(seeds: seeds, varied: vary)
    plan.flags += source.settings
    let runs = try plan.runs { recipe, key in
      try shippedRecipes().recipe(recipe).settings.last { $0.key == key }?.value
    }
    let (signals, progress) = (StopSignals(), ProgressLine(quiet: quiet))
    try RunDirectory.requireOther(output)
    try check(runs, progress, signals)
    let share = max(1, try threads.count() / min(parallel, runs.count))
    try makeDirectory(output)
    progress.note(
      "\(counted(runs.count, "run")), \(min(parallel, runs.count)) at a time, in \(output)")
    let runner = SweepRunner(
      output: output, parallel: parallel, progress: progress, signals: signals)
    let outcomes = runner.run(runs) { run in
      common + (run.recipe.map { ["--recipe=\($0)"] } ?? [])
        + run.sets.map { "--set=\($0)" }
        + ["--threads=\(share)", "--output=\(runner.folder(run))"]
    }
    guard let outcomes else {
      throw Failure(
        signals.status, "stopped; every run is saved, the same command goes on with the sweep")
    }
    try finish(outcomes)
  }

  /// Before the first of them starts: a slip in the last run should not come out tomorrow.
  private func check(_ runs: [SweepRun], _ progress: ProgressLine, _ signals: StopSignals) throws {
    let execution = try threads.makeExecution()
    for (number, run) in runs.enumerated() {
      progress.update { "checking run \(number + 1) of \(runs.count)" }
      do { try source.check(run, output: "\(output)/\(run.name)", on: execution) } catch {
        guard runs.count > 1, let failure = failure(for: error) else { throw error }
        throw Failure(failure.status, "\(run.name): \(failure.message)")
      }
      if signals.pending != nil { throw Failure(signals.status, "stopped; nothing was begun") }
    }
    progress.clear()
  }

  /// Writes the tables and the report of all runs, prints one; fails if a run did. Where none has
  /// finished, tables of another sweep in the folder stay.
  private func finish(_ outcomes: [SweepOutcome]) throws {
    let table = SweepTable(outcomes)
    let finished = outcomes.filter { $0.status == 0 }
    if !finished.isEmpty {
      for (name, text) in [
        ("sweep.md", table.markdown), ("sweep.csv", table.csv), ("sweep.tex", table.latex),
      ] { try AtomicFile.write(Array(text.utf8), to: "\(output)/\(name)") }
      let records = try finished.map { try RunRecord(directory: "\(output)/\($0.run.name)") }
      try AtomicFile.write(ReportPage(records).bytes, to: output + "/report.html")
    }
    printResult(table.markdown, terminator: "")
    let failed = outcomes.filter { $0.status != 0 }
    guard let first = failed.first else { return }
    throw Failure(
      first.status,
      "\(failed.count) of \(outcomes.count) runs failed: "
        + failed.map { "\($0.run.name) (\($0.status))" }.joined(separator: ", ")
        + "; see above, and train.log in their folders; the same command tries them again")
  }
}
