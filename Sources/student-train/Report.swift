import ArgumentParser
import CommandSupport
import Experiments
import FileIO
import Foundation
import Reporting

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "One self-contained HTML page about one run, or several side by side.",
    discussion: """
      It needs the runs' folders and nothing else: no data, no cache, no network. Every \
      finished run has such a page of its own already, as report.html in its folder.

      Examples:
        student-train report runs/crld
        student-train report runs/kd runs/dkd runs/crld --output comparison.html
      """)

  @Argument(help: ArgumentHelp("Folders of runs.", valueName: "run"))
  var runs: [String]
  @Option(
    help: ArgumentHelp(
      "Where to write; default: report.html in the folder of a single run, or here for several.",
      valueName: "file"))
  var output: String?

  func validate() throws {
    let others = ["csv", "json", "md", "pdf", "png", "tex", "txt"]
    if let output, others.contains((output as NSString).pathExtension.lowercased()) {
      throw ValidationError("--output \(output): a report is a page; name it .html")
    }
  }

  func run() throws {
    let page = ReportPage(try runs.map { try RunRecord(directory: $0) })
    let path = output ?? (runs.count == 1 ? runs[0] + "/report.html" : "report.html")
    try AtomicFile.write(page.bytes, to: path)
    // Behind a page that went to standard output the line would belong to it.
    if !AtomicFile.isOpenAlready(path) { printResult(path) }
  }
}
