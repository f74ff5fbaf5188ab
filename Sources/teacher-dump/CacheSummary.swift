import Experiments
import Foundation
import Reporting
import TeacherCache

/// What `info` says about a cache, for people and for scripts.
struct CacheSummary {
  private let cache: CacheReader
  private let info: CacheInfo
  private let accuracy: [(kind: String, top1: Double)]
  private static let accuracySample = 100_000

  init(_ path: String) throws {
    cache = try CacheReader.open(path)
    info = cache.info
    accuracy = try cache.teacherAccuracy(limit: Self.accuracySample)
  }

  var text: String {
    let identity = cache.identity
    let unfinished =
      info.unfinishedUnits == 0
      ? "" : "; unfinished: \(info.unfinishedUnits), the command that began them goes on"
    let made =
      "teacher: \(identity.teacherArchitecture), weights \(identity.teacherWeights.prefix(16))"
    guard !cache.manifest.units.isEmpty else {
      return
        "cache \(info.cacheID): \(identity.dataset), nothing is sealed yet\(unfinished)\n\(made)"
    }
    let kinds = info.views.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    let right = accuracy.map { "\($0.kind) \(String(format: "%.2f", $0.top1)) %" }
    var lines = [
      "cache \(info.cacheID): \(identity.dataset), \(grouped(info.images)) images, "
        + "views: \(kinds.joined(separator: ", "))",
      made + (right.isEmpty ? "" : "; right on \(right.joined(separator: ", "))"),
      "stored: \(grouped(info.records)) logits as \(identity.logits.rawValue), "
        + "\(String(format: "%.1f", info.logitBytesPerView)) B a view "
        + "(fp32: \(identity.classes * 4) B, ratio \(String(format: "%.2f", info.logitRatio))); "
        + "\(bytesText(info.bytes)) in \(counted(cache.manifest.units.count, "unit"))\(unfinished)",
      "error: gradient of T²·KL off by at most \(short(info.logitErrorBound)) in L1 at every temperature; "
        + "largest logit error measured \(short(info.largestLogitError))",
    ]
    if info.codingError.views > 0 { lines.append(measuredError) }
    if info.featureRecords > 0 {
      let taps = Set(cache.manifest.units.flatMap { $0.features.map(\.shape.tap) }).sorted()
      lines.append(
        "features: \(taps.joined(separator: ", ")) as \(identity.featurePrecision.rawValue), "
          + "\(grouped(info.featureRecords)) maps")
    }
    if info.kernelLevels.count > 1 {
      lines.append("made at mixed kernel levels: \(info.kernelLevels.joined(separator: ", "))")
    }
    return lines.joined(separator: "\n")
  }

  /// The gradient's error as it was when the logits were coded.
  private var measuredError: String {
    let error = info.codingError
    let figures = zip(CodingError.Setting.allCases, ["T=1", "T=2", "T=4", "BKD weights"]).map {
      "\($1) \(short(error.largest($0))) (mean \(short(error.mean($0))))"
    }
    let share = String(format: "%.4f", 100 * Double(error.maskFlips) / Double(error.views))
    return "measured on \(grouped(error.views)) of \(grouped(info.records)) views, L1 at most: "
      + figures.joined(separator: ", ")
      + "; \(counted(error.maskFlips, "CRLD mask")) flipped (\(share) %)"
  }

  private func short(_ value: Double) -> String { String(format: "%.4g", value) }

  var json: JSONValue {
    let identity = cache.identity
    let members: [(String, JSONValue)] = [
      ("cache_id", .string(info.cacheID)), ("content_hash", .string(info.contentHash)),
      ("fingerprint", .string(info.fingerprint)), ("dataset", .string(identity.dataset)),
      ("images", .integer(info.images)), ("classes", .integer(identity.classes)),
      (
        "views",
        .object(info.views.sorted { $0.key < $1.key }.map { ($0.key, .integer($0.value)) })
      ),
      ("records", .integer(info.records)), ("feature_records", .integer(info.featureRecords)),
      ("unfinished_units", .integer(info.unfinishedUnits)),
      ("bytes", .integer(info.bytes)), ("logit_codec", .string(identity.logits.rawValue)),
      ("logit_bytes_per_view", .number(info.logitBytesPerView)),
      ("logit_ratio", .number(info.logitRatio)),
      ("logit_error_bound", .number(info.logitErrorBound)),
      ("largest_logit_error", .number(info.largestLogitError)),
      ("gradient_error", Self.gradientError(info.codingError)),
      ("teacher_architecture", .string(identity.teacherArchitecture)),
      ("teacher_weights", .string(identity.teacherWeights)),
      ("teacher_top1", .object(accuracy.map { ($0.kind, .number($0.top1)) })),
      ("view_seed", .string(String(identity.viewSeed))),
      ("kernel_levels", .array(info.kernelLevels.map(JSONValue.string))),
      ("units", .array(cache.manifest.units.map(Self.unit))),
    ]
    return .object(members)
  }

  private static func gradientError(_ error: CodingError) -> JSONValue {
    guard error.views > 0 else { return .null }
    let figures = { (value: (CodingError.Setting) -> Double) in
      JSONValue.object(CodingError.Setting.allCases.map { ($0.name, .number(value($0))) })
    }
    return .object([
      ("views", .integer(error.views)), ("max", figures(error.largest)),
      ("mean", figures(error.mean)), ("crld_mask_flips", .integer(error.maskFlips)),
    ])
  }

  private static func unit(_ unit: UnitEntry) -> JSONValue {
    .object([
      ("path", .string(unit.path)), ("images", .string(unit.images.description)),
      ("records", .integer(unit.records)), ("feature_records", .integer(unit.featureRecords)),
      ("bytes", .integer(unit.bytes)), ("sha256", .string(unit.sha256)),
      ("kernel_level", .string(unit.kernelLevel)),
    ])
  }
}
