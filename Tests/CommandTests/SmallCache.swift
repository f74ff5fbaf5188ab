import Crypto
import Foundation
import Testing

/// A teacher of ten digits and a cache of it, made by the programs once for a whole test process.
struct SmallCache {
  static let teacher = "/teacher/last.safetensors"

  /// A new folder with the teacher and the list of images, but no cache.
  static func scratch() throws -> Scratch {
    let scratch = try Scratch()
    try FileManager.default.copyItem(
      atPath: prototype.get().path + "/teacher", toPath: scratch.path + "/teacher")
    let ids = (0..<40).map { String($0 * 100) }.joined(separator: "\n")
    try Data(ids.utf8).write(to: URL(fileURLWithPath: scratch.path + "/images.txt"))
    return scratch
  }

  /// Arguments of a dump into `cache` of such a folder.
  static func dump(_ scratch: Scratch, views: String, into cache: String = "cache") -> [String] {
    [
      "--dataset", "mnist", "--data", Program.digits, "--subset", "list:\(scratch.path)/images.txt",
      "--teacher", scratch.path + teacher, "--views", views, "--features", "stage3", "--cache",
      "\(scratch.path)/\(cache)", "--threads", "1",
    ]
  }

  /// A folder with a cache of two weak views, and the path of its only unit's file.
  static func make() throws -> (scratch: Scratch, unit: String) {
    let scratch = try scratch()
    let result = try Program.run("teacher-dump", dump(scratch, views: "weak:2"))
    try #require(result.status == 0, "\(result.errors)")
    let file = try #require(
      FileManager.default.enumerator(atPath: scratch.path + "/cache")?
        .compactMap { $0 as? String }.first { $0.hasSuffix("data.mdb") })
    return (scratch, "\(scratch.path)/cache/\(file)")
  }

  static func info(_ cache: String) throws -> [String: Any] {
    try Program.json(Program.run("teacher-dump", ["info", cache, "--json"]).output)
  }

  static func sha256(_ data: Data) -> String {
    SHA256.hash(data: data).map { String(format: "%02x", $0) }.joined()
  }

  /// A manifest that lists a unit's file as it is now, without a checksum of its own.
  static func manifest(_ text: String, listing unit: Data) throws -> String {
    var object = try Program.json(text)
    object["checksum"] = nil
    var units = try #require(object["units"] as? [[String: Any]])
    units[0]["sha256"] = sha256(unit)
    units[0]["bytes"] = unit.count
    object["units"] = units
    return String(
      decoding: try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys]),
      as: UTF8.self)
  }

  private static var prototypePath: String { (try? prototype.get().path) ?? "" }

  private static let prototype = Result {
    let scratch = try Scratch()
    // Nothing else ends the life of what is kept for the whole process.
    atexit { try? FileManager.default.removeItem(atPath: SmallCache.prototypePath) }
    let result = try Program.run(
      "student-train",
      [
        "--method", "ce", "--student", "resnet8", "--dataset", "mnist", "--data", Program.digits,
        "--subset", try scratch.subset(), "--epochs", "1", "--milestones", "none", "--output",
        scratch.path + "/teacher", "--eval-every", "1",
      ])
    try #require(result.status == 0, "\(result.errors)")
    return scratch
  }
}
