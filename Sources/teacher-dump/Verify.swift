import ArgumentParser
import CommandSupport
import Experiments
import Foundation
import Reporting
import TeacherCache

struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check a cache: structure and checksums, the replay proof, the teacher itself.",
    discussion: """
      Without further flags the units' sizes, hashes and every record's checksum are \
      checked. With --data, views are rendered again and their pixel hashes compared; \
      with --teacher, the teacher is run on them and its logits are compared.

      Example:
        teacher-dump verify caches/r56 --data DIR --teacher r56.safetensors \\
                     --sample 2000
      """)

  @Argument(help: ArgumentHelp("Folder of the cache.", valueName: "cache"))
  var cache: String
  @Option(help: ArgumentHelp("Folder with the data set's files, or its parent.", valueName: "dir"))
  var data: String?
  @Option(
    help: ArgumentHelp(
      "The teacher's weights (safetensors); needs --data.",
      valueName: "file"))
  var teacher: String?
  @Option(help: ArgumentHelp("Views to replay, evenly spread (default 1000).", valueName: "n"))
  var sample: Int?
  @Flag(help: "Replay every view.")
  var all = false
  @Flag(help: "Print one JSON object.")
  var json = false
  @OptionGroup var threads: ThreadOptions

  func validate() throws {
    guard sample == nil || !all else {
      throw ValidationError("--sample and --all exclude each other")
    }
    guard sample ?? 1 > 0 else { throw ValidationError("--sample must be at least 1") }
    guard teacher == nil || data != nil else { throw ValidationError("--teacher needs --data") }
    guard data != nil || (sample == nil && !all) else {
      throw ValidationError("--sample and --all need --data")
    }
  }

  func run() throws {
    do {
      try check()
    } catch let error where json {
      if let failure = failure(for: error), failure.status == Status.data {
        let members = [("ok", JSONValue.bool(false)), ("error", .string(failure.message))]
        printResult(JSONValue.object(members).text)
      }
      throw error
    }
  }

  private func check() throws {
    let progress = ProgressLine()
    let report = try CacheReader.verify(cache) { part in
      progress.update { "checking records: \(Int(part * 100)) %" }
    }
    var proof = CacheProof.Report()
    var faithful = true
    if let data {
      let reader = try CacheReader.open(cache)
      let check = try CacheProof(reader, dataPath: data, on: threads.makeExecution())
      let keys = reader.storedKeys(limit: all ? nil : sample ?? 1000)
      proof = try check.check(keys, teacher: teacher) { done in
        progress.update { "replaying views: \(grouped(done)) of \(grouped(keys.count))" }
      }
      faithful = proof.largestDifference ?? 0 <= check.tolerance
    }
    progress.clear()
    let members: [(String, JSONValue)] = [
      ("records_checked", .integer(report.recordsChecked)),
      ("views_replayed", .integer(proof.viewsReplayed)),
      ("max_logit_difference", .optional(proof.largestDifference)),
      ("mean_logit_difference", .optional(proof.meanDifference)), ("ok", .bool(faithful)),
    ]
    printResult(json ? JSONValue.object(members).text : text(report, proof))
    if !faithful {
      throw Failure(
        Status.data,
        "the teacher's logits differ from the stored ones by more than the codec "
          + "explains: another build, kernel level or teacher made this cache; dump again")
    }
  }

  private func text(_ report: VerifyReport, _ proof: CacheProof.Report) -> String {
    var lines = ["\(grouped(report.recordsChecked)) records are sound"]
    if proof.viewsReplayed > 0 {
      lines.append("\(grouped(proof.viewsReplayed)) views replayed, every pixel hash is the same")
    }
    if let largest = proof.largestDifference, let mean = proof.meanDifference {
      lines.append(
        "the teacher's logits differ by at most \(String(format: "%.4g", largest)), "
          + "\(String(format: "%.4g", mean)) on average")
    }
    return lines.joined(separator: "\n")
  }
}
