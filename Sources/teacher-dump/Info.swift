import ArgumentParser
import CommandSupport
import Reporting

struct Info: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "What a cache holds, how large it is and how exact.",
    discussion: """
      Example:
        teacher-dump info caches/r56 --json
      """)

  @Argument(help: ArgumentHelp("Folder of the cache.", valueName: "cache"))
  var cache: String
  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let summary = try CacheSummary(cache)
    printResult(json ? summary.json.text : summary.text)
  }
}
