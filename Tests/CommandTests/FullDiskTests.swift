import Foundation
import TestSupport
import Testing

@Suite(.serialized, .enabled(if: mayMount, "needs the right to mount a small tmpfs"))
struct FullDiskTests {
  private struct Outcome {
    let full, resumed, check: Int32
    let errors: String
  }

  /// Runs `command` on a disk of `size` KiB at `disk`, then again when there is enough space,
  /// then `check`; all in one mount name space, so that nothing stays mounted.
  private func run(
    _ command: [String], size: Int, disk: String, check: [String]
  ) throws -> Outcome {
    let quoted = { (words: [String]) in words.map { "'\($0)'" }.joined(separator: " ") }
    let script = """
      mount -t tmpfs -o size=\(size)k tmpfs '\(disk)' || exit 99
      \(quoted(command)) > /dev/null 2> '\(disk).errors'; a=$?
      mount -o remount,size=256m '\(disk)'
      \(quoted(command)) > /dev/null 2>> '\(disk).resumed'; b=$?
      \(quoted(check)) > '\(disk).checked' 2>&1; c=$?
      echo $a $b $c
      """
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["unshare", "-m", "sh", "-c", script]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let text = String(decoding: Program.everything(from: output), as: UTF8.self)
    process.waitUntilExit()
    let codes = text.split(whereSeparator: \.isWhitespace).compactMap { Int32($0) }
    try #require(codes.count == 3, "\(text)")
    let words = ["errors", "resumed", "checked"].map {
      (try? String(contentsOfFile: "\(disk).\($0)", encoding: .utf8)) ?? ""
    }
    return Outcome(
      full: codes[0], resumed: codes[1], check: codes[2], errors: words.joined(separator: "---\n"))
  }

  @Test func aDumpOnAFullDiskSaysSoAndGoesOn() throws {
    let scratch = try SmallCache.scratch()
    let whole = SmallCache.dump(scratch, views: "weak:2", into: "whole")
    let made = try Program.run("teacher-dump", whole)
    try #require(made.status == 0, "\(made.errors)")
    let needed = try #require(try SmallCache.info(scratch.path + "/whole")["bytes"] as? Int) >> 10
    let program = try #require(Program.process("teacher-dump", []).executableURL).path
    let disk = scratch.path + "/disk"
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
    let command = [program] + SmallCache.dump(scratch, views: "weak:2", into: "disk/cache")
    var full = 0
    let count = faultCount(20, full: 200)
    for number in 0..<count {
      let size = 8 + (needed + 8) * number / count
      let outcome = try run(
        command, size: size, disk: disk,
        check: [program, "verify", disk + "/cache"])
      #expect([0, 74].contains(outcome.full), "\(size) KiB: \(outcome.full)\n\(outcome.errors)")
      if outcome.full == 74 {
        full += 1
        #expect(outcome.errors.contains("disk full on"), "\(size) KiB: \(outcome.errors)")
        #expect(outcome.errors.contains("run the same command to continue"))
      }
      #expect(outcome.resumed == 0, "\(size) KiB: \(outcome.errors)")
      #expect(outcome.check == 0, "\(size) KiB: \(outcome.errors)")
    }
    #expect(full > count / 2)
  }

  @Test func aTrainingOnAFullDiskSaysSoAndGoesOn() throws {
    let (scratch, _) = try SmallCache.make()
    let program = try #require(Program.process("student-train", []).executableURL).path
    let disk = scratch.path + "/disk"
    try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
    let command = [
      program, "--cache", scratch.path + "/cache", "--data", Program.digits, "--method", "kd",
      "--student", "resnet8", "--epochs", "2", "--milestones", "none", "--eval-every", "2",
      "--threads", "1", "--output", disk + "/run",
    ]
    var full = 0
    for number in 0..<faultCount(6, full: 20) {
      let size = 8 + number * 150
      let outcome = try run(
        command, size: size, disk: disk,
        check: [program, "eval", disk + "/run", "--data", Program.digits])
      #expect([0, 74].contains(outcome.full), "\(size) KiB: \(outcome.full)\n\(outcome.errors)")
      if outcome.full == 74 {
        full += 1
        #expect(
          outcome.errors.contains("No space left on device"), "\(size) KiB: \(outcome.errors)")
      }
      #expect(outcome.resumed == 0, "\(size) KiB: \(outcome.errors)")
      #expect(outcome.check == 0, "\(size) KiB: \(outcome.errors)")
    }
    #expect(full > 1)
  }
}
