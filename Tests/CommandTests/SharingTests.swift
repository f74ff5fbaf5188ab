import Foundation
import TestSupport
import Testing

/// Caches as things that people pass on: merged, copied, extended, read by many.
struct SharingTests {
  private let scratch: Scratch
  private let common: [String]

  init() throws {
    scratch = try Scratch()
    common = ["--dataset", "mnist", "--data", Program.digits, "--teacher", try scratch.teacher()]
  }

  private func path(_ name: String) -> String { scratch.path + "/" + name }

  /// Dumps the images of a list into a cache.
  private func dump(_ images: [Int], _ cache: String, _ more: String...) throws {
    let list = path("images-\(UUID().uuidString).txt")
    try Data(images.map { "\($0)\n" }.joined().utf8).write(to: URL(fileURLWithPath: list))
    let result = try Program.run(
      "teacher-dump", common + ["--subset", "list:\(list)", "--cache", path(cache)] + more)
    try #require(result.status == 0, "\(result.errors)")
  }

  private func contentHash(_ cache: String) throws -> String {
    let result = try Program.run("teacher-dump", ["info", path(cache), "--json"])
    return try #require(Program.json(result.output)["content_hash"] as? String)
  }

  @Test func cachesOfDifferentMachinesMergeToOneMadeInOneRun() throws {
    let (some, others) = (
      Array(stride(from: 0, to: 900, by: 30)), Array(stride(from: 15, to: 900, by: 30))
    )
    let all = ["--views", "weak:3,strong:2", "--features", "stage2"]
    try dump(some + others, "whole", all[0], all[1], all[2], all[3])
    try dump(some, "a", all[0], all[1], all[2], all[3])
    try dump(others, "b", "--views", "weak:2")
    try dump(others, "c", all[0], all[1], all[2], all[3])
    let merged = try Program.run(
      "teacher-dump", ["merge", path("merged"), path("a"), path("b"), path("c")])
    #expect(merged.status == 0, "\(merged.errors)")
    #expect(try contentHash("merged") == contentHash("whole"))
    let again = try Program.run("teacher-dump", ["merge", path("merged"), path("c")])
    #expect(again.output.hasPrefix("0 units copied, 0 cut to what was missing, 1 already there"))
    try dump([1], "exact", "--views", "weak:1", "--logits", "fp32")
    let refused = try Program.run("teacher-dump", ["merge", path("no"), path("a"), path("exact")])
    #expect(refused.status == 65)
    #expect(refused.errors.contains("logits (--logits)"), "\(refused.errors)")
  }

  @Test func theReportNamesWhatCodingDid() throws {
    try dump(Array(0..<40), "cache", "--views", "weak:2,strong:1", "--logits", "coarse")
    let result = try Program.run("teacher-dump", ["info", path("cache"), "--json"])
    let info = try Program.json(result.output)
    let error = try #require(info["gradient_error"] as? [String: Any])
    #expect(error["views"] as? Int == 120)
    #expect(error["crld_mask_flips"] as? Int == 0)
    for name in ["t1", "t2", "t4", "bkd"] {
      let largest = try #require((error["max"] as? [String: Double])?[name])
      let mean = try #require((error["mean"] as? [String: Double])?[name])
      #expect(0 < mean && mean < largest && largest <= 0.125, "\(name)")
    }
    #expect((info["logit_ratio"] as? Double ?? 0) > 0)
    let text = try Program.run("teacher-dump", ["info", path("cache")]).output
    for words in ["measured on 120 of 120 views", "T=4", "BKD weights", "0 CRLD masks flipped"] {
      #expect(text.contains(words), "\(words)")
    }
  }

  @Test func aBegunCacheSaysSo() throws {
    let process = try Program.start(
      "teacher-dump", common + ["--views", "weak:60", "--cache", path("begun")])
    while process.isRunning, !FileManager.default.fileExists(atPath: path("begun/units")) {
      usleep(1000)
    }
    usleep(100_000)
    kill(process.processIdentifier, SIGINT)
    process.waitUntilExit()
    try #require(process.terminationStatus == 130)
    let text = try Program.run("teacher-dump", ["info", path("begun")]).output
    #expect(text.contains("nothing is sealed yet; unfinished: 1"), "\(text)")
    let result = try Program.run(
      "student-train",
      [
        "--cache", path("begun"), "--data", Program.digits, "--method", "kd", "--student",
        "resnet8", "--output", path("run"),
      ])
    #expect(result.status == 66)
    #expect(result.errors.contains("holds nothing yet"), "\(result.errors)")
  }

  @Test func severalCallersCopyAndACopyWithUnitsOfItsOwnIsLeftAlone() throws {
    try dump(Array(0..<200), "cache", "--views", "weak:4")
    let callers = try (0..<4).map { _ in
      let process = Program.process("teacher-dump", ["copy", path("cache"), path("fast/copy")])
      process.standardOutput = FileHandle.nullDevice
      try process.run()
      return process
    }
    for process in callers {
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
    }
    #expect(try contentHash("fast/copy") == contentHash("cache"))
    try dump([3], "fast/copy", "--views", "strong:1")
    let result = try Program.run("teacher-dump", ["copy", path("cache"), path("fast/copy")])
    #expect(result.status == 73)
    #expect(result.errors.contains("teacher-dump merge"), "\(result.errors)")
  }

  @Test(.enabled(if: mayMount, "needs the right to mount and to make PID namespaces"))
  func readersNeedNoWritePermissionAndNoNumbersOfTheirOwn() throws {
    try dump(Array(0..<64), "cache", "--views", "weak:1")
    try FileManager.default.createDirectory(
      atPath: path("mount"), withIntermediateDirectories: true)
    func shell(_ script: String) throws -> Process {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/bin/sh")
      process.arguments = ["-c", script]
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      return process
    }
    try #require(succeeds("mount", "--bind", path("cache"), path("mount")))
    defer { succeeds("umount", path("mount")) }
    try #require(succeeds("mount", "-o", "remount,bind,ro", path("mount")))
    // Each is process 1 of its own namespace, which LMDB's reader table would take for one process.
    let program = try #require(Program.process("student-train", []).executableURL?.path)
    let readers = try (0..<3).map { number in
      try shell(
        "exec unshare -p -f --mount-proc '\(program)' --cache '\(path("mount"))' "
          + "--data '\(Program.digits)' --method kd --student resnet8 --epochs 2 "
          + "--milestones none --output '\(path("run-\(number)"))'")
    }
    for reader in readers {
      reader.waitUntilExit()
      #expect(reader.terminationStatus == 0)
    }
    let refused = try Program.run(
      "teacher-dump", common + ["--views", "weak:2", "--cache", path("mount")])
    #expect(refused.status == 77, "\(refused.errors)")
  }

  @Test func eightReadersBesideAWriterSeeOnlyWholeUnits() throws {
    let images = (0..<300).map { $0 }
    try dump(images, "cache", "--views", "weak:2")
    let list = path("images.txt")
    try Data(images.map { "\($0)\n" }.joined().utf8).write(to: URL(fileURLWithPath: list))
    let writer = try Program.start(
      "teacher-dump",
      common + ["--subset", "list:\(list)", "--cache", path("cache"), "--views", "weak:40"])
    var besideTheWriter = 0
    repeat {
      let readers = try (0..<8).map { _ in
        let process = Program.process(
          "teacher-dump", ["verify", path("cache"), "--data", Program.digits, "--all"])
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
      }
      for reader in readers {
        reader.waitUntilExit()
        #expect(reader.terminationReason == .exit)
        #expect(reader.terminationStatus == 0)
        if writer.isRunning { besideTheWriter += 1 }
      }
    } while writer.isRunning
    #expect(besideTheWriter > 0)
    #expect(writer.terminationStatus == 0)
    let info = try Program.json(
      Program.run("teacher-dump", ["info", path("cache"), "--json"]).output)
    #expect(info["records"] as? Int == 300 * 40)
    let found = try Program.run("teacher-dump", ["verify", path("cache"), "--json"])
    #expect(try Program.json(found.output)["records_checked"] as? Int == 300 * 40)
  }

  @Test func namesOfOneLetterAreNamesToo() throws {
    try dump([5], "cache", "--views", "plain")
    let process = Program.process(
      "teacher-dump",
      [
        "show", path("cache"), "--data", Program.digits, "--image", "5", "--view", "plain",
        "--png", "p",
      ])
    process.currentDirectoryURL = URL(fileURLWithPath: scratch.path)
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    let train = Program.process(
      "student-train",
      [
        "--cache", "cache", "--data", Program.digits, "--method", "kd", "--augment", "none",
        "--student", "resnet8", "--epochs", "1", "--milestones", "none", "--output", "r",
      ])
    train.currentDirectoryURL = URL(fileURLWithPath: scratch.path)
    train.standardOutput = FileHandle.nullDevice
    train.standardError = FileHandle.nullDevice
    try train.run()
    train.waitUntilExit()
    #expect(train.terminationStatus == 0)
  }

  /// Features of all crops beside logits of two rounds: each is found under its own name.
  @Test func featuresOfACropAreFoundByItsRound() throws {
    try dump([0, 30], "cache", "--views", "weak:2")
    try dump(
      [0, 30], "cache", "--views", "weak:2,weak:all", "--features", "stage3", "--feature-views",
      "weak:all")
    for view in ["weak:0", "weak:5"] {
      let result = try Program.run(
        "teacher-dump",
        ["read", path("cache"), "--image", "30", "--view", view, "--tap", "stage3", "--json"])
      #expect(result.status == 0, "\(result.errors)")
      let read = try Program.json(result.output)
      #expect((read["values"] as? [Any])?.count == 7 * 7 * 64)
      #expect((read["features"] as? [String: [Int]]) == ["stage3": [7, 7, 64]])
    }
  }

  @Test func targetsThatCannotBeAreNamed() throws {
    try dump([0], "cache", "--views", "plain")
    try FileManager.default.createSymbolicLink(
      atPath: path("loop"), withDestinationPath: path("loop"))
    for target in [path(String(repeating: "x", count: 300)), path("loop") + "/copy"] {
      let result = try Program.run("teacher-dump", ["copy", path("cache"), target])
      #expect(result.status == 73, "\(result.errors)")
      let looked = try Program.run("teacher-dump", ["info", target])
      #expect(looked.status == 66, "\(looked.errors)")
      #expect(looked.errors.contains("is not a teacher cache"), "\(looked.errors)")
    }
    let empty = try Program.run("teacher-dump", ["info", ""])
    #expect(empty.status == 66 && empty.errors.contains("\"\" is not a teacher cache"))
  }

  /// One user copies; another, who may only look, waits and finds it done.
  @Test(.enabled(if: isOtherUser, "needs the right to be another user"))
  func anotherUserWaitsForACopy() throws {
    try dump([0, 30], "cache", "--views", "weak:2")
    try #require(Program.run("teacher-dump", ["copy", path("cache"), path("copy")]).status == 0)
    try FileManager.default.moveItem(
      atPath: path("copy/manifest.json"), toPath: path("manifest.json"))
    let lock = open(path("copy/writer.lock"), O_RDWR | O_CLOEXEC)
    defer { close(lock) }
    try #require(flock(lock, LOCK_EX | LOCK_NB) == 0)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      Self.otherUser + [Program.folder + "/teacher-dump", "copy", path("cache"), path("copy")]
    let errors = Pipe()
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    usleep(500_000)
    #expect(process.isRunning)
    try FileManager.default.moveItem(
      atPath: path("manifest.json"), toPath: path("copy/manifest.json"))
    flock(lock, LOCK_UN)
    let text = String(decoding: Program.everything(from: errors), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 0, "\(text)")
  }

  private static let otherUser = ["setpriv", "--reuid=65534", "--clear-groups"]

  /// Whether the programs can be run as somebody else.
  private static var isOtherUser: Bool {
    let command = otherUser + [Program.folder + "/teacher-dump", "--version"]
    return succeeds(command[0], command[1], command[2], command[3], command[4])
  }
}
