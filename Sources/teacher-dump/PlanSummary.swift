import Experiments
import Foundation
import Reporting

/// What `dump --plan` says, for people and for scripts.
struct PlanSummary {
  private let cache: String
  private let estimate: DumpEstimate

  init(_ estimate: DumpEstimate, cache: String) {
    self.estimate = estimate
    self.cache = cache
  }

  /// Why the dump would end with a full disk; nil where it fits.
  var warning: String? {
    guard !estimate.fitsOnDisk else { return nil }
    return "warning: \(cache) would need \(bytesText(estimate.bytes)), but only "
      + "\(bytesText(estimate.freeBytes)) are free there; ask for fewer views or features, or "
      + "choose another disk"
  }

  var text: String {
    let held = estimate.requested - estimate.views
    var rows = [
      ("asked for", "\(grouped(estimate.images)) images, \(grouped(estimate.requested)) views"),
      ("held already", "\(grouped(held)) views"),
      ("to be seen", "\(grouped(estimate.views)) views"),
      ("size", bytesText(estimate.bytes) + perView),
      ("free there", bytesText(estimate.freeBytes)),
      ("time", durationText(estimate.seconds) + rate),
      ("pays from", "student \(estimate.breakEvenStudents) on: \(cost)"),
    ]
    rows = rows.map { ($0.padding(toLength: 14, withPad: " ", startingAt: 0), $1) }
    return "plan for \(cache): nothing was written\n"
      + rows.map { "  \($0)\($1)" }.joined(separator: "\n") + gains
  }

  private var perView: String {
    estimate.logitBytesPerView.map { String(format: ", %.1f B a view's logits", $0) } ?? ""
  }

  private var rate: String {
    estimate.viewsPerSecond.map { ", \(Int($0)) views/s measured" } ?? ""
  }

  private var cost: String {
    let share = String(format: "%.1f", 100 * estimate.costInStudents)
    return "the teacher's work is \(share) % of that beside one online student of "
      + "\(DumpEstimate.studentEpochs) epochs"
  }

  /// An online step costs T + 3S, a cached one 3S.
  private var gains: String {
    guard !estimate.gains.isEmpty else { return "" }
    return "\n  worth: a step with the teacher (\(estimate.teacher), T = "
      + String(format: "%.1f µs a view", estimate.teacherSeconds * 1e6)
      + ") costs T + 3S, from the cache 3S\n"
      + estimate.gains.map { gain in
        "    \(gain.student.padding(toLength: 14, withPad: " ", startingAt: 0)) S = "
          + String(
            format: "%8.1f µs   up to %.2f× faster", gain.studentSeconds * 1e6, gain.speedup)
      }.joined(separator: "\n")
  }

  var json: JSONValue {
    .object([
      ("cache_id", .string(estimate.cacheID)), ("images", .integer(estimate.images)),
      ("views_requested", .integer(estimate.requested)), ("views", .integer(estimate.views)),
      ("bytes", .integer(estimate.bytes)),
      ("logit_bytes_per_view", .optional(estimate.logitBytesPerView)),
      ("seconds", .number(estimate.seconds)),
      ("views_per_second", .optional(estimate.viewsPerSecond)),
      ("free_bytes", .integer(estimate.freeBytes)), ("fits", .bool(estimate.fitsOnDisk)),
      ("break_even_students", .integer(estimate.breakEvenStudents)),
      ("cost_in_students", .number(estimate.costInStudents)),
      ("teacher", .string(estimate.teacher)),
      ("speedups", .object(estimate.gains.map { ($0.student, .number($0.speedup)) })),
    ])
  }
}
