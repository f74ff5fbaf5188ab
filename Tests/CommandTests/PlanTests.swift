import Foundation
import TestSupport
import Testing

/// `dump --plan`: what a dump would cost, without doing it.
struct PlanTests {
  private let scratch: Scratch
  private let common: [String]

  init() throws {
    scratch = try Scratch()
    common = [
      "--dataset", "mnist", "--data", Program.digits, "--subset", try scratch.subset(),
      "--teacher", try scratch.teacher(),
    ]
  }

  private func plan(_ cache: String, _ more: String...) throws -> [String: Any] {
    let result = try Program.run(
      "teacher-dump", ["dump", "--plan", "--json", "--cache", cache] + common + more)
    try #require(result.status == 0, "\(result.errors)")
    return try Program.json(result.output)
  }

  @Test func aPlanForeseesTheDumpAndWritesNothing() throws {
    let cache = scratch.path + "/cache"
    let flags = ["--views", "weak:4,strong:3", "--features", "stage1,stage3"]
    let before = try scratch.listing()
    let plan = try plan(cache, flags[0], flags[1], flags[2], flags[3])
    #expect(try scratch.listing() == before)
    #expect(plan["views"] as? Int == 700)
    #expect((plan["seconds"] as? Double ?? 0) > 0)
    #expect((plan["free_bytes"] as? Int ?? 0) > 1 << 20)
    #expect(plan["break_even_students"] as? Int == 1)
    let cost = try #require(plan["cost_in_students"] as? Double)
    #expect(abs(cost - 700.0 / (100 * 2 * 240)) < 1e-12)
    let speedups = try #require(plan["speedups"] as? [String: Double])
    #expect(speedups["resnet8"].map { $0 > 1 } == true)

    let made = try Program.run("teacher-dump", ["--cache", cache] + common + flags)
    try #require(made.status == 0, "\(made.errors)")
    let info = try Program.json(Program.run("teacher-dump", ["info", cache, "--json"]).output)
    let (expected, found) = (
      try #require(plan["bytes"] as? Int), try #require(info["bytes"] as? Int)
    )
    #expect(abs(expected - found) < found / 10, "planned \(expected), found \(found)")
    let perView = try [plan, info].map { try #require($0["logit_bytes_per_view"] as? Double) }
    #expect(abs(perView[0] / perView[1] - 1) < 0.1, "\(perView)")
  }

  @Test func onlyWhatIsMissingCounts() throws {
    let cache = scratch.path + "/cache"
    let made = try Program.run(
      "teacher-dump", ["--cache", cache, "--views", "weak:2"] + common)
    try #require(made.status == 0, "\(made.errors)")
    let before = try scratch.listing()
    let more = try plan(cache, "--views", "weak:3,strong:1")
    #expect(more["views"] as? Int == 200)
    #expect(more["views_requested"] as? Int == 400)
    let nothing = try plan(cache, "--views", "weak:2")
    #expect(nothing["views"] as? Int == 0)
    #expect(nothing["bytes"] as? Int == 0)
    #expect(nothing["seconds"] as? Double == 0)
    let other = try Program.run(
      "teacher-dump",
      ["--plan", "--cache", cache, "--views", "weak:2", "--view-seed", "4"] + common)
    #expect(other.status == 65)
    #expect(other.errors.contains("viewSeed"))
    #expect(try scratch.listing() == before)
  }

  @Test func theTableIsForPeople() throws {
    let result = try Program.run(
      "teacher-dump", ["--plan", "--cache", scratch.path + "/cache", "--views", "weak:1"] + common)
    #expect(result.status == 0)
    for words in ["nothing was written", "100 images", "views/s", "pays from", "T + 3S", "resnet8"]
    {
      #expect(result.output.contains(words), "\(words)")
    }
    #expect(result.errors.isEmpty)
    let alone = try Program.run(
      "teacher-dump", ["--json", "--cache", scratch.path + "/cache", "--views", "weak:1"] + common)
    #expect(alone.status == 64)
    #expect(alone.errors.contains("--plan"))
  }

  @Test(.enabled(if: mayMount, "needs the right to mount a small tmpfs"))
  func aDiskThatIsTooSmallIsNamed() throws {
    let disk = scratch.path + "/disk"
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
    try #require(succeeds("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk))
    defer { succeeds("umount", disk) }
    let result = try Program.run(
      "teacher-dump",
      ["--plan", "--json", "--cache", disk + "/new/cache", "--views", "weak:9"] + common)
    #expect(result.status == 0)
    #expect(result.errors.contains("warning: \(disk)/new/cache would need"), "\(result.errors)")
    let plan = try Program.json(result.output)
    #expect(plan["fits"] as? Bool == false)
    #expect(plan["free_bytes"] as? Int ?? .max <= 64 << 10)
  }
}
