import Foundation
import Testing

/// `student-train --write-through` through the program: killed, resumed, contested, contradicted.
struct WriteThroughTests {
  private let scratch: Scratch
  private let base: [String]
  private var cache: String { scratch.path + "/cache" }

  init() throws {
    scratch = try Scratch()
    base = [
      "--dataset", "mnist", "--data", Program.digits, "--subset", try scratch.subset(),
      "--teacher", try scratch.teacher(), "--method", "crld", "--student", "resnet8", "--epochs",
      "4", "--milestones", "none", "--eval-every", "4", "--batch-size", "16",
    ]
  }

  private func arguments(_ output: String, _ cache: String? = nil) -> [String] {
    base + [
      "--cache", cache ?? self.cache, "--write-through", "--views", "weak:2,strong:2",
      "--features", "stage3", "--output", "\(scratch.path)/\(output)",
    ]
  }

  private func weights(_ run: String) throws -> Data {
    try Data(contentsOf: URL(fileURLWithPath: "\(scratch.path)/\(run)/last.safetensors"))
  }

  private func info(_ cache: String) throws -> [String: Any] {
    try Program.json(Program.run("teacher-dump", ["info", cache, "--json"]).output)
  }

  @Test func aRunKilledHalfWayGoesOnAndTheCacheIsThatOfADump() throws {
    let whole = try Program.run("student-train", arguments("whole", scratch.path + "/other"))
    try #require(whole.status == 0, "\(whole.errors)")
    #expect(
      try Program.json(whole.output)["cache_id"] as? String == info(scratch.path + "/other")[
        "cache_id"] as? String)
    var kills = 0
    for share in [1, 3, 6, 9] {
      let process = try Program.start("student-train", arguments("cut"))
      // A random place some way into the training: after so many bytes were kept.
      while process.isRunning, journaled() < share * 20_000 { usleep(1000) }
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      if process.terminationReason == .uncaughtSignal { kills += 1 }
    }
    #expect(kills > 1)
    let resumed = try Program.run("student-train", arguments("cut"))
    #expect(resumed.status == 0, "\(resumed.errors)")
    let same = try weights("cut") == weights("whole")
    #expect(same)
    let dumped = try Program.run(
      "teacher-dump",
      Array(base.prefix(8)) + [
        "--views", "weak:2,strong:2", "--features", "stage3", "--cache", scratch.path + "/dumped",
      ])
    try #require(dumped.status == 0, "\(dumped.errors)")
    let (here, there) = (try info(cache), try info(scratch.path + "/dumped"))
    #expect(here["content_hash"] as? String == there["content_hash"] as? String)
    #expect(try Program.run("teacher-dump", ["verify", cache]).status == 0)
    // Nothing is left to be done, neither for this command nor for one that reads the cache.
    let again = try Program.run("student-train", arguments("cut"))
    #expect(again.status == 0)
    #expect(again.errors.contains("finished"))
    let cached = try Program.run(
      "student-train",
      base.filter {
        $0 != "--dataset" && $0 != "mnist" && $0 != "--teacher" && !$0.hasSuffix(".safetensors")
      }
        + ["--cache", cache, "--output", scratch.path + "/cached"])
    #expect(cached.status == 0, "\(cached.errors)")
    let sameFromCache = try weights("cached") == weights("whole")
    #expect(sameFromCache)
  }

  /// Bytes in the journals of unsealed units and in sealed ones.
  private func journaled() -> Int {
    let names = FileManager.default.enumerator(atPath: cache)?.compactMap { $0 as? String } ?? []
    return names.reduce(0) { sum, name in
      let size = try? FileManager.default.attributesOfItem(atPath: "\(cache)/\(name)")[.size]
      return sum + (size as? Int ?? 0)
    }
  }

  @Test func aSecondWriterIsTurnedAwayAtOnce() throws {
    try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
    let lock = open(cache + "/writer.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    defer { close(lock) }
    try #require(flock(lock, LOCK_EX | LOCK_NB) == 0)
    let holder = "host elsewhere, pid 4711, since 2026-01-31 12:00:00 UTC\n"
    try #require(write(lock, holder, holder.utf8.count) == holder.utf8.count)
    for (program, call) in [
      ("student-train", arguments("second")),
      ("teacher-dump", Array(base.prefix(8)) + ["--views", "weak:1", "--cache", cache]),
    ] {
      let result = try Program.run(program, call)
      #expect(result.status == 75, "\(result.errors)")
      #expect(result.errors.contains("pid 4711"), "\(result.errors)")
    }
  }

  @Test(arguments: [
    (["--write-through"], "--cache is not given"),
    (["--write-through", "--cache", "CACHE", "--method", "ce"], "listens to no teacher"),
    (["--cache", "CACHE"], "--write-through"),
    (["--logits", "fp32"], "--logits says how outputs are stored"),
    (["--features", "stage1"], "--features says"),
    (["--feature-views", "weak:1"], "--feature-views says"),
    (["--feature-precision", "q8"], "--feature-precision says"),
    (["--write-through", "--cache", "CACHE", "--logits", "fp8"], "fp8"),
    (["--write-through", "--cache", "CACHE", "--augment", "none", "--views", "weak:1"], "plain"),
    (["--write-through", "--cache", "CACHE", "--views", "weak:1"], "strong:N"),
  ])
  func contradictoryFlagsAreRefused(flags: [String], says: String) throws {
    let result = try Program.run(
      "student-train",
      base + flags.map { $0 == "CACHE" ? cache : $0 } + ["--output", scratch.path + "/run"])
    #expect(result.status == 64, "\(result.errors)")
    #expect(result.errors.contains(says), "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: cache))
  }

  @Test func oneFolderForRunAndCacheIsRefused() throws {
    let result = try Program.run("student-train", arguments("cache"))
    #expect(
      result.status == 73 && result.errors.contains("choose another --output"), "\(result.errors)")
    #expect(!FileManager.default.fileExists(atPath: cache))
  }

  @Test func withoutATeacherThereIsNothingToWriteThrough() throws {
    let result = try Program.run(
      "student-train",
      [
        "--method", "kd", "--student", "resnet8", "--data", Program.digits, "--cache", cache,
        "--write-through", "--output", scratch.path + "/run",
      ])
    #expect(result.status == 64)
    #expect(result.errors.contains("--teacher is not given"), "\(result.errors)")
  }

  @Test func anotherTeacherOrPrecisionIsRefusedNamingTheField() throws {
    let made = try Program.run(
      "teacher-dump", Array(base.prefix(8)) + ["--views", "weak:1", "--cache", cache])
    try #require(made.status == 0, "\(made.errors)")
    for (flags, field) in [
      (["--logits", "fp32"], "logits"),
      (["--teacher", try scratch.teacher(seed: 6)], "teacherWeights"),
      (["--view-seed", "9"], "viewSeed"),
    ] {
      let result = try Program.run("student-train", arguments("run") + flags)
      #expect(result.status == 65, "\(result.errors)")
      #expect(result.errors.contains(field), "\(result.errors)")
    }
  }

  @Test func aRunWhoseFolderIsTakenLeavesNoCache() throws {
    let folder = scratch.path + "/taken"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data("method: kd\n".utf8).write(to: URL(fileURLWithPath: folder + "/config.yaml"))
    try Data().write(to: URL(fileURLWithPath: scratch.path + "/file"))
    for output in ["taken", "file"] {
      let result = try Program.run("student-train", arguments(output))
      #expect(result.status == 73, "\(result.errors)")
      #expect(!FileManager.default.fileExists(atPath: cache), "\(output)")
    }
  }
}
