import ArgumentParser
import CommandSupport
import Experiments
import Foundation
import Reporting

struct Dump: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Run the teacher over every image and view that the cache does not hold yet.",
    discussion: """
      The same command goes on where an interrupted one stopped; asking for more \
      views adds only what is missing. Finished parts of a cache can be used while \
      the rest is being made.

      Examples:
        teacher-dump --dataset cifar100 --data DIR --teacher r56.safetensors \\
                     --views weak:4,strong:4 --features stage1,stage2,stage3 \\
                     --cache caches/r56
        teacher-dump --dataset cifar100 --data DIR --teacher r56.safetensors \\
                     --views weak:16,strong:16 --cache caches/r56 --plan
        teacher-dump --dataset cifar10 --data DIR --subset exp:100 \\
                     --teacher t.safetensors --views weak:all --logits fp32 \\
                     --cache caches/lt
      """)

  @OptionGroup var teacher: TeacherOptions
  @OptionGroup var stored: StorageOptions
  @OptionGroup var threads: ThreadOptions
  @Option(help: ArgumentHelp("Folder of the cache.", valueName: "dir"))
  var cache: String
  @Flag(
    help: ArgumentHelp(
      "Say what this would cost and what it would be worth, from a second of the teacher's work; "
        + "write nothing."))
  var plan = false
  @Flag(help: "With --plan: print one JSON object.")
  var json = false
  @Flag(help: "No progress on standard error.")
  var quiet = false

  func validate() throws {
    guard plan || !json else { throw ValidationError("--json goes with --plan") }
  }

  func run() throws {
    let progress = ProgressLine(quiet: quiet)
    let session = try DumpSession(
      stored.makeRequest(teacher, cache: cache), on: threads.makeExecution())
    if plan {
      let summary = PlanSummary(try session.estimate(), cache: cache)
      printResult(json ? summary.json.text : summary.text)
      if let warning = summary.warning { ProgressLine().note(warning) }
      return
    }
    let signals = StopSignals()
    do {
      let report = try session.run(progress: progress, shouldStop: { signals.pending != nil })
      printResult(
        report.views + report.kept == 0
          ? "\(cache) holds all of this already"
          : "\(grouped(report.views)) views in \(durationText(report.seconds)) "
            + "(\(Int(Double(report.views) / max(report.seconds, 1e-9))) views/s)"
            + (report.kept > 0 ? "; \(grouped(report.kept)) were seen before" : ""))
      printResult(try CacheSummary(cache).text)
    } catch is Stopped {
      throw Failure(signals.status, "stopped; what was seen is kept, the same command goes on")
    }
  }
}
