import Datasets
import Foundation
import TeacherCache
import Testing

/// A cache that says of one view that the teacher saw other pixels, or that it said something else:
/// every command that looks at the view ends with 65 and names it.
struct ReplayTests {
  private let scratch: Scratch
  private let view = View.weak(1)
  private let image = 100

  init() throws {
    scratch = try SmallCache.make().scratch
  }

  /// Makes the cache again with one record changed.
  private func forge(_ name: String, _ change: (ViewRecord) -> ViewRecord) throws -> String {
    let reader = try CacheReader.open(scratch.path + "/cache")
    let path = "\(scratch.path)/\(name)"
    let writer = try CacheWriter.open(path, identity: reader.identity, kernelLevel: "test")
    defer { writer.close() }
    let views = [View.weak(0), view]
    for work in try writer.missing(
      images: reader.images, views: views, taps: [], featureViews: [])
    {
      let unit = try writer.begin(work)
      for image in work.images {
        let records = try views.map { view in
          let stored = try reader.read(image: image, view: view)
          let record = ViewRecord(view: view, pixelHash: stored.pixelHash, logits: stored.logits)
          return image == self.image && view == self.view ? change(record) : record
        }
        try unit.append(
          image: image, label: reader.read(image: image, view: view).label, views: records)
      }
      try unit.seal()
    }
    return path
  }

  @Test func otherPixelsStopEveryCommandThatLooksAtThem() throws {
    let cache = try forge("forged") {
      ViewRecord(view: $0.view, pixelHash: $0.pixelHash ^ 1, logits: $0.logits)
    }
    let data = ["--data", Program.digits]
    for (program, arguments) in [
      (
        "student-train",
        [
          "--cache", cache, "--method", "kd", "--student", "resnet8", "--epochs", "2",
          "--milestones", "none", "--output", scratch.path + "/run",
        ] + data
      ),
      (  // which does not ask what the teacher said
        "student-train",
        [
          "--cache", cache, "--method", "ce", "--student", "resnet8", "--epochs", "2",
          "--milestones", "none", "--output", scratch.path + "/run-ce",
        ] + data
      ),
      ("teacher-dump", ["verify", cache, "--all"] + data),
      (
        "teacher-dump",
        [
          "show", cache, "--image", "\(image)", "--view", "\(view)", "--png",
          scratch.path + "/seen.png",
        ] + data
      ),
    ] {
      let result = try Program.run(program, arguments)
      #expect(result.status == 65, "\(arguments): \(result.errors)")
      #expect(
        result.errors.contains("image \(image), view \(view): pixel_hash is"),
        "\(arguments): \(result.errors)")
    }
    #expect(!FileManager.default.fileExists(atPath: scratch.path + "/run/summary.json"))
    #expect(!FileManager.default.fileExists(atPath: scratch.path + "/run-ce/summary.json"))
    let verified = try Program.run("teacher-dump", ["verify", cache, "--all", "--json"] + data)
    let report = try Program.json(verified.output)
    #expect(report["ok"] as? Bool == false)
    #expect(report["records_checked"] as? Int == 80)
    for key in ["views_replayed", "max_logit_difference"] {
      #expect(report[key] is NSNull, "\(key): \(verified.output)")
    }
    #expect(!FileManager.default.fileExists(atPath: scratch.path + "/seen.png"))
    // Its structure is sound; only the images can tell.
    #expect(try Program.run("teacher-dump", ["verify", cache]).status == 0)
  }

  @Test func otherLogitsThanTheTeachersFailTheCheck() throws {
    let cache = try forge("forged") {
      var logits = $0.logits ?? []
      logits[3] += 1
      return ViewRecord(view: $0.view, pixelHash: $0.pixelHash, logits: logits)
    }
    let teacher = ["--data", Program.digits, "--teacher", scratch.path + SmallCache.teacher]
    let whole = try Program.run("teacher-dump", ["verify", cache, "--all", "--json"] + teacher)
    #expect(whole.status == 65, "\(whole.errors)")
    let report = try Program.json(whole.output)
    #expect(report["ok"] as? Bool == false)
    #expect(report["views_replayed"] as? Int == 80)
    let difference = try #require(report["max_logit_difference"] as? Double)
    #expect(abs(difference - 1) < 0.121)  // half a step of q8 in each of two codings
    let sound = try Program.run(
      "teacher-dump",
      ["verify", scratch.path + "/cache", "--sample", "7", "--json"] + teacher)
    #expect(sound.status == 0, "\(sound.errors)")
    #expect(try Program.json(sound.output)["views_replayed"] as? Int == 7)
  }
}
