import ArgumentParser
import CommandSupport
import Reporting
import TeacherCache

struct Merge: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Unite caches of one fingerprint; no record is copied twice.",
    discussion: """
      Caches of another teacher, data set, seed or precision are refused, naming the field.

      Example:
        teacher-dump merge caches/all caches/machine1 caches/machine2
      """)

  @Argument(help: ArgumentHelp("The cache that is made or added to.", valueName: "out"))
  var out: String
  @Argument(help: ArgumentHelp("Caches to take from.", valueName: "in"))
  var inputs: [String]
  @OptionGroup var network: NetworkFileSystemOptions

  func run() throws {
    let progress = ProgressLine()
    let start = ContinuousClock.now
    let report = try CacheTransfer.merge(
      into: out, from: inputs, allowNetworkFileSystem: network.allowNetworkFs
    ) { done, total in
      progress.update(done, of: total, "records", since: start)
    }
    progress.clear()
    printResult(
      "\(counted(report.unitsCopied, "unit")) copied, \(report.unitsCut) cut to what was missing, "
        + "\(report.unitsSkipped) already there")
    printResult(try CacheSummary(out).text)
  }
}

struct Copy: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Copy a cache, for example to a fast local disk; every file's hash is checked.",
    discussion: """
      Safe for several callers at once; files that are there and right are left alone.

      Example:
        teacher-dump copy /shared/caches/r56 /scratch/r56
      """)

  @Argument(help: ArgumentHelp("The cache to copy.", valueName: "cache"))
  var cache: String
  @Argument(help: ArgumentHelp("Where to.", valueName: "dir"))
  var target: String

  func run() throws {
    let progress = ProgressLine()
    let start = ContinuousClock.now
    try CacheTransfer.copy(from: cache, to: target) { holder in
      progress.note("waiting for \(target), which is being written by \(holder)")
    } progress: { done, total in
      progress.update(done, of: total, "records", since: start)
    }
    progress.clear()
    printResult(try CacheSummary(target).text)
  }
}
