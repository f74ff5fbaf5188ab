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
  @Option(
    help: ArgumentHelp(
      "How many views to replay, drawn from all of them (default 1000).", valueName: "n"))
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
    let progress = ProgressLine()
    var (records, proof): (VerifyReport?, CacheProof.Report?)
    do {
      records = try checkRecords(progress)
      proof = try data.map { try replay($0, progress) }
    } catch let error where json {
      progress.clear()
      var isLost = false
      if case CacheError.lostUnit = error { isLost = true }
      if let failure = failure(for: error), isLost || failure.status == Status.data {
        printResult(
          JSONValue.object(
            members(records, proof, isFaithful: false) + [("error", .string(failure.message))]
          ).text)
      }
      throw error
    }
    progress.clear()
    let isFaithful = proof?.isFaithful ?? true
    printResult(
      json
        ? JSONValue.object(members(records, proof, isFaithful: isFaithful)).text
        : text(records, proof))
    if !isFaithful {
      throw Failure(
        Status.data,
        "the teacher's logits differ from the stored ones by more than the codec "
          + "explains: another build, kernel level or teacher made this cache; dump again")
    }
  }

  private func checkRecords(_ progress: ProgressLine) throws -> VerifyReport {
    let start = ContinuousClock.now
    return try CacheReader.verify(cache) { done, total in
      progress.update(done, of: total, "records", since: start)
    }
  }

  private func replay(_ data: String, _ progress: ProgressLine) throws -> CacheProof.Report {
    let reader = try CacheReader.open(cache)
    let proof = try CacheProof(reader, dataPath: data, on: threads.makeExecution())
    let keys = reader.storedKeys(limit: all ? nil : sample ?? 1000)
    let start = ContinuousClock.now
    return try proof.check(keys, teacher: teacher) { done in
      progress.update(done, of: keys.count, "views", since: start)
    }
  }

  /// What scripts rely on; null for what was not found out.
  private func members(
    _ records: VerifyReport?, _ proof: CacheProof.Report?, isFaithful: Bool
  ) -> [(String, JSONValue)] {
    [
      ("records_checked", records.map { JSONValue.integer($0.recordsChecked) } ?? .null),
      (
        "views_replayed",
        data == nil ? .integer(0) : proof.map { JSONValue.integer($0.viewsReplayed) } ?? .null
      ),
      ("max_logit_difference", .optional(proof?.largestDifference)),
      ("mean_logit_difference", .optional(proof?.meanDifference)), ("ok", .bool(isFaithful)),
    ]
  }

  private func text(_ records: VerifyReport?, _ proof: CacheProof.Report?) -> String {
    var lines = ["\(grouped(records?.recordsChecked ?? 0)) records are sound"]
    guard let proof else { return lines[0] }
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
