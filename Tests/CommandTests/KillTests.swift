import Foundation
import TestSupport
import Testing

/// `kill -9` at any moment, then the same command again: as if nothing had happened.
@Suite(.serialized) struct KillTests {
  /// Starts a program, kills it after `delay` seconds, and says whether it was still running.
  private func runAndKill(_ name: String, _ arguments: [String], after delay: Double) throws -> Bool
  {
    let process = Program.process(name, arguments)
    (process.standardOutput, process.standardError) = (
      FileHandle.nullDevice, FileHandle.nullDevice
    )
    try process.run()
    let end = Date() + delay
    while process.isRunning, Date() < end { usleep(500) }
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    if process.terminationReason == .exit { try #require(process.terminationStatus == 0) }
    return process.terminationReason == .uncaughtSignal
  }

  /// A dump and its seconds.
  private func dump(_ scratch: Scratch, _ views: String, _ cache: String) throws -> Double {
    let start = Date()
    let result = try Program.run(
      "teacher-dump", SmallCache.dump(scratch, views: views, into: cache))
    try #require(result.status == 0, "\(result.errors)")
    return Date().timeIntervalSince(start)
  }

  @Test func aKilledDumpEndsAsAnUndisturbedOne() throws {
    let scratch = try SmallCache.scratch()
    let views = (1...4).map { "weak:\($0 * 2),strong:\($0)" }
    let seconds = try views.map { try dump(scratch, $0, "whole") }
    let expected = try SmallCache.info(scratch.path + "/whole")
    let count = faultCount(100, full: 2000)
    var (killed, round) = (0, 0)
    // Another load of the machine than when the seconds were taken makes them too long or too short.
    var share = 1.0
    while round < count {
      let cache = "killed\(round)"
      for (view, seconds) in zip(views, seconds) {
        for _ in 0..<3 {
          round += 1
          let delay = Double.random(in: 0...seconds * share)
          let arguments = SmallCache.dump(scratch, views: view, into: cache)
          if try runAndKill("teacher-dump", arguments, after: delay) {
            killed += 1
            share = min(share * 1.25, 1.5)
          } else {
            share *= 0.8
          }
          let sealed = try Program.run("teacher-dump", ["verify", "\(scratch.path)/\(cache)"])
          #expect([0, 66].contains(sealed.status), "after \(delay) s: \(sealed.errors)")
        }
        _ = try dump(scratch, view, cache)
      }
      let info = try SmallCache.info("\(scratch.path)/\(cache)")
      #expect(info["content_hash"] as? String == expected["content_hash"] as? String)
      #expect(info["records"] as? Int == expected["records"] as? Int)
      let names = try FileManager.default.contentsOfDirectory(
        atPath: "\(scratch.path)/\(cache)/units")
      #expect(names.contains { $0.hasPrefix(".") } == false)
      try FileManager.default.removeItem(atPath: "\(scratch.path)/\(cache)")
    }
    #expect(killed > count / 4)
  }

  @Test func aKilledTrainingEndsWithTheSameWeightsAndLines() throws {
    let scratch = try SmallCache.scratch()
    _ = try dump(scratch, "weak:2", "cache")
    let arguments = { (run: String) in
      [
        "--cache", scratch.path + "/cache", "--data", Program.digits, "--method", "kd",
        "--student", "resnet8", "--epochs", "6", "--milestones", "none", "--eval-every", "3",
        "--batch-size", "10", "--threads", "1", "--output", "\(scratch.path)/\(run)",
      ]
    }
    let start = Date()
    let whole = try Program.run("student-train", arguments("whole"))
    try #require(whole.status == 0, "\(whole.errors)")
    let seconds = Date().timeIntervalSince(start)
    let file = { (run: String, name: String) in
      try Data(contentsOf: URL(fileURLWithPath: "\(scratch.path)/\(run)/\(name)"))
    }
    let expected = try file("whole", "last.safetensors")
    var kills = 0
    var run = 0
    while kills < faultCount(20, full: 200), run < 2000 {
      run += 1
      for _ in 0..<2 {
        let delay = Double.random(in: 0...seconds)
        if try runAndKill("student-train", arguments("killed"), after: delay) { kills += 1 }
      }
      let resumed = try Program.run("student-train", arguments("killed"))
      try #require(resumed.status == 0, "\(resumed.errors)")
      let isEqual = try file("killed", "last.safetensors") == expected
      #expect(isEqual)
      let lines = String(decoding: try file("killed", "metrics.jsonl"), as: UTF8.self)
        .split(separator: "\n")
      let epochs = try lines.map { try Program.json(String($0))["epoch"] as? Int }
      #expect(epochs == [1, 2, 3, 4, 5, 6])
      try FileManager.default.removeItem(atPath: scratch.path + "/killed")
    }
    #expect(kills >= faultCount(20, full: 200))
  }
}
