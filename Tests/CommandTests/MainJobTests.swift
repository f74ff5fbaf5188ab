import Foundation
import Testing

/// The main job through the programs themselves: teacher, cache, students, and what goes wrong.
struct MainJobTests {
  private let scratch: Scratch
  private let subset: String
  private var cache: String { scratch.path + "/cache" }
  private var teacher: String { scratch.path + "/teacher/last.safetensors" }

  init() throws {
    scratch = try Scratch()
    subset = try scratch.subset()
    let trained = try Program.run(
      "student-train",
      [
        "--method", "ce", "--student", "resnet8", "--dataset", "mnist", "--data", Program.digits,
        "--subset", subset, "--epochs", "1", "--eval-every", "1", "--output",
        scratch.path + "/teacher", "--milestones", "none",
      ])
    try #require(trained.status == 0, "\(trained.errors)")
  }

  private func dump(_ more: String...) throws -> Program.Result {
    try Program.run(
      "teacher-dump",
      [
        "--dataset", "mnist", "--data", Program.digits, "--subset", subset, "--teacher", teacher,
        "--views", "weak:2,strong:2", "--features", "stage1,stage2,stage3", "--cache", cache,
      ] + more)
  }

  private func train(_ method: String, _ more: String...) throws -> Program.Result {
    try Program.run(
      "student-train",
      [
        "--cache", cache, "--data", Program.digits, "--method", method, "--student", "resnet8",
        "--epochs", "2", "--milestones", "none", "--output", "\(scratch.path)/\(method)",
      ] + more)
  }

  @Test func theWholeJobAndEverythingThatReadsTheCache() throws {
    let made = try dump()
    #expect(made.status == 0, "\(made.errors)")
    let again = try dump()
    #expect(again.status == 0)
    #expect(again.output.contains("holds all of this already"))

    let info = try Program.json(Program.run("teacher-dump", ["info", cache, "--json"]).output)
    #expect((info["cache_id"] as? String)?.count == 16)
    #expect((info["content_hash"] as? String)?.isEmpty == false)
    #expect(info["dataset"] as? String == "mnist")
    #expect(info["images"] as? Int == 100)
    #expect(info["classes"] as? Int == 10)
    #expect(info["records"] as? Int == 400)
    #expect(info["views"] as? [String: Int] == ["weak": 2, "strong": 2])
    #expect(info["logit_codec"] as? String == "q8")
    #expect(info["logit_error_bound"] as? Double == 0.06)
    for key in ["bytes", "logit_bytes_per_view", "kernel_levels", "units", "fingerprint"] {
      #expect(info[key] != nil, "\(key)")
    }

    let read = try Program.json(
      Program.run(
        "teacher-dump", ["read", cache, "--image", "40", "--view", "weak:0", "--json"]
      ).output)
    #expect((read["logits"] as? [Double])?.count == 10)
    #expect((read["top5"] as? [Int])?.count == 5)
    #expect((read["pixel_hash"] as? String)?.count == 16)
    #expect(
      read["features"] as? [String: [Int]]
        == ["stage1": [28, 28, 16], "stage2": [14, 14, 32], "stage3": [7, 7, 64]])
    #expect(read["values"] == nil)
    let tap = { (name: String) in
      try Program.run(
        "teacher-dump",
        ["read", cache, "--image", "40", "--view", "weak:0", "--tap", name, "--json"])
    }
    #expect((try Program.json(tap("stage3").output)["values"] as? [Double])?.count == 7 * 7 * 64)
    #expect(try tap("stage4").status == 66)

    let verified = try Program.run(
      "teacher-dump",
      ["verify", cache, "--data", Program.digits, "--teacher", teacher, "--all", "--json"])
    #expect(verified.status == 0, "\(verified.errors)")
    let proof = try Program.json(verified.output)
    #expect(proof["ok"] as? Bool == true)
    #expect(proof["views_replayed"] as? Int == 400)
    #expect((proof["max_logit_difference"] as? Double ?? 1) <= 0.0601)

    let judged = try Program.run(
      "teacher-dump",
      ["eval", "--dataset", "mnist", "--data", Program.digits, "--teacher", teacher, "--json"])
    #expect(judged.status == 0, "\(judged.errors)")
    let trained = try Program.json(
      String(contentsOfFile: scratch.path + "/teacher/summary.json", encoding: .utf8))
    #expect(
      try Program.json(judged.output)["top1"] as? Double == trained["test_top1_last"] as? Double)

    // From here on nobody needs the teacher.
    try FileManager.default.removeItem(atPath: teacher)
    for method in ["ce", "kd", "dkd", "bkd", "sskd", "crld"] {
      let result =
        method == "sskd" ? try trainStages() : try train(method)
      #expect(result.status == 0, "\(method): \(result.errors)")
      let summary = try Program.json(result.output)
      #expect(summary["method"] as? String == method)
      #expect((summary["test_top1_last"] as? Double ?? -1) >= 0)
    }
    let finished = try train("kd", "--resume")
    #expect(finished.status == 0)
    #expect(finished.errors.contains("finished"))
    #expect(try Program.json(finished.output)["method"] as? String == "kd")
    let other = try train("kd", "--lr", "0.1")
    #expect(other.status == 73, "\(other.errors)")
    #expect(other.errors.contains("lr"))

    let evaluated = try Program.run(
      "student-train", ["eval", scratch.path + "/kd", "--data", Program.digits, "--json"])
    #expect(evaluated.status == 0, "\(evaluated.errors)")
    #expect(try Program.json(evaluated.output)["images"] as? Int == 1000)
  }

  private func trainStages() throws -> Program.Result {
    try Program.run(
      "student-train",
      [
        "--cache", cache, "--data", Program.digits, "--method", "sskd", "--student", "resnet8",
        "--epochs", "2", "--output", "\(scratch.path)/sskd",
      ])
  }

  @Test func missingViewsAndTapsPrintTheCommandThatAddsThem() throws {
    let made = try Program.run(
      "teacher-dump",
      [
        "--dataset", "mnist", "--data", Program.digits, "--subset", subset, "--teacher", teacher,
        "--views", "weak:2", "--cache", cache,
      ])
    try #require(made.status == 0, "\(made.errors)")
    let crld = try train("crld")
    #expect(crld.status == 66)
    #expect(crld.errors.contains("teacher-dump --dataset mnist"))
    #expect(crld.errors.contains("strong:"))
    let sskd = try trainStages()
    #expect(sskd.status == 66)
    #expect(sskd.errors.contains("--features stage1,stage2,stage3"))
  }

  @Test func wrongTeachersImagesAndDamageAreRefused() throws {
    try #require(try dump().status == 0)
    let otherTeacher = try Program.run(
      "student-train",
      [
        "--method", "ce", "--student", "resnet8", "--dataset", "mnist", "--data", Program.digits,
        "--subset", subset, "--epochs", "1", "--milestones", "none", "--seed", "1", "--output",
        scratch.path + "/other",
      ])
    try #require(otherTeacher.status == 0)
    let wrong = try dump("--teacher", scratch.path + "/other/last.safetensors")
    #expect(wrong.status == 65, "\(wrong.errors)")
    #expect(wrong.errors.contains("teacherWeights"))
    let seed = try dump("--view-seed", "3")
    #expect(seed.status == 65)
    #expect(seed.errors.contains("viewSeed"))

    // One flipped bit in the middle of a unit's data.
    let unit = try #require(
      FileManager.default.enumerator(atPath: cache)?.compactMap { $0 as? String }
        .first { $0.hasSuffix("data.mdb") })
    let file = "\(cache)/\(unit)"
    var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
    let original = bytes
    bytes[bytes.count / 2] ^= 0x10
    try bytes.write(to: URL(fileURLWithPath: file))
    let flipped = try Program.run("teacher-dump", ["verify", cache])
    #expect(flipped.status == 65, "\(flipped.errors)")
    try original.prefix(original.count - 4096).write(to: URL(fileURLWithPath: file))
    for arguments in [["verify", cache], ["info", cache]] {
      let cut = try Program.run("teacher-dump", arguments)
      #expect(cut.status == 65, "\(cut.errors)")
    }
    let cut = try train("kd")
    #expect(cut.status == 65, "\(cut.errors)")
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func aSignalSavesTheRunAndTheSameCommandGoesOn(signal: Int32) throws {
    try #require(try dump().status == 0)
    let arguments = [
      "--cache", cache, "--data", Program.digits, "--method", "kd", "--student", "resnet8",
      "--epochs", "40", "--milestones", "none", "--eval-every", "40", "--batch-size", "8",
    ]
    let whole = try Program.run(
      "student-train", arguments + ["--output", scratch.path + "/whole"])
    try #require(whole.status == 0, "\(whole.errors)")
    let process = try Program.start(
      "student-train", arguments + ["--output", scratch.path + "/cut"])
    let state = scratch.path + "/cut/config.yaml"
    while process.isRunning, !FileManager.default.fileExists(atPath: state) { usleep(1000) }
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit)
    #expect(process.terminationStatus == 128 + signal)
    let resumed = try Program.run(
      "student-train", arguments + ["--output", scratch.path + "/cut"])
    #expect(resumed.status == 0, "\(resumed.errors)")
    let weights = { (run: String) in
      try Data(contentsOf: URL(fileURLWithPath: "\(self.scratch.path)/\(run)/last.safetensors"))
    }
    let same = try weights("cut") == weights("whole")
    #expect(same)
  }
}
