import Distillation
import Experiments
import Foundation
import Networks
import Reporting
import Testing

/// Runs that were interrupted: they go on to the same bytes, lines and times.
struct ResumeTests {
  @Test(arguments: ["kd", "sskd", "crld"])
  func aRunStoppedAnywhereGoesOnToTheSameBytes(method: String) throws {
    let job = try SmallJob(images: 80)  // three steps an epoch
    defer { job.remove() }
    try job.dump()
    let whole = try job.train(method, live: false, threads: 2, into: "whole", epochs: 3)
    for stop in 1...8 {
      job.stop(after: stop, method, into: "cut-\(stop)", epochs: 3)
      let resumed = try job.train(
        method, live: false, threads: 1, into: "cut-\(stop)", epochs: 3)
      #expect(resumed == whole, "stopped after step \(stop)")
      let fields = { (name: String) in
        try job.text("\(name)/metrics.jsonl").split(separator: "\n").map { line in
          try #require(
            JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])["loss"]
            as? Double
        }
      }
      #expect(try fields("cut-\(stop)") == fields("whole"))
    }
  }

  /// It may take minutes, which nobody waits who wants a machine back.
  @Test(arguments: [3, 8, 12, 20]) func aRunStoppedInAnEvaluationBeginsWithIt(stop: Int) throws {
    let job = try SmallJob(images: 80)  // three steps an epoch, ten batches of the test set
    defer { job.remove() }
    try job.dump()
    let flags = [(key: "eval_every", value: "1")]
    func train(_ name: String) throws -> Weights {
      try job.train("kd", live: false, threads: 2, into: name, flags: flags)
    }
    func lines(_ name: String) throws -> [[Double?]] {
      try job.text("\(name)/metrics.jsonl").split(separator: "\n").map { line in
        let line = try #require(
          JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        return ["epoch", "lr", "loss", "train_top1", "test_top1", "test_top5"].map {
          line[$0] as? Double
        }
      }
    }
    let whole = try train("whole")
    job.stop(after: stop, "kd", into: "cut", flags: flags)
    let state = try SafeTensors.read(job.folder + "/cut/state.safetensors")
    #expect(state.metadata["step"] == (stop == 20 ? "6" : "3"))
    #expect(try lines("cut").count == (stop == 20 ? 1 : 0))
    #expect(try train("cut") == whole)
    #expect(try lines("cut") == lines("whole"))
    let best = try ["whole", "cut"].map {
      Weights(
        bytes: try Data(contentsOf: URL(fileURLWithPath: "\(job.folder)/\($0)/best.safetensors")))
    }
    #expect(best[0] == best[1])
  }

  @Test func anInterruptedEpochTookTheTimeOfAllItsParts() throws {
    let job = try SmallJob(images: 80)  // three steps an epoch
    defer { job.remove() }
    try job.dump()
    for pause: UInt32 in [700_000, 0] {  // after the first step, and after the second
      #expect(throws: Stopped.self) {
        try job.train("kd", live: false, threads: 2, into: "run", epochs: 1) {
          usleep(pause)
          return true
        }
      }
    }
    try job.train("kd", live: false, threads: 2, into: "run", epochs: 1)
    let line = try job.text("run/metrics.jsonl")
    let epoch = try #require(
      JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    let seconds = try #require(epoch["seconds"] as? Double)
    #expect((0.7..<10).contains(seconds))
    #expect(abs(try #require(epoch["images_per_second"] as? Double) * seconds - 80) < 1e-6)
  }

  /// Where it was stopped, each bit of the state counts, and each line of the metrics.
  @Test func aDamagedStateIsNotGoneOnFrom() throws {
    let job = try SmallJob(images: 80)
    defer { job.remove() }
    try job.dump()
    job.stop(after: 4, "kd", into: "run", epochs: 3)
    let file = URL(fileURLWithPath: job.folder + "/run/state.safetensors")
    let good = try Data(contentsOf: file)
    for i in 0..<8 {
      var bad = good
      bad[good.count - 1 - i * 7919 % (good.count / 2)] ^= 1 << UInt8(i)
      try bad.write(to: file)
      #expect {
        try job.train("kd", live: false, threads: 2, into: "run", epochs: 3)
      } throws: {
        ($0 as? StateError)?.description.contains("damaged") == true
      }
    }
    try good.write(to: file)
    try FileManager.default.removeItem(atPath: job.folder + "/run/metrics.jsonl")
    #expect {
      try job.train("kd", live: false, threads: 2, into: "run", epochs: 3)
    } throws: {
      ($0 as? RunError)?.kind == .malformed && "\($0)".contains("tells of 0 epochs")
    }
  }

  /// Logs that other programs read have each epoch once, whatever a killed run left behind.
  @Test func aRunThatGoesOnRepeatsNoLine() throws {
    let job = try SmallJob(images: 80)
    defer { job.remove() }
    try job.dump()
    job.stop(after: 5, "kd", into: "run", epochs: 3)  // in the second epoch
    // A run that was killed behind its last checkpoint leaves lines that the checkpoint does not know.
    let folder = job.folder + "/run"
    for (name, junk) in [
      ("metrics.jsonl", "{\"epoch\":2,\"loss\":9}\n"), ("summary.csv", "2,9,"),
      (EventFile.name, "\u{7}torn"),
    ] {
      let file = try #require(FileHandle(forWritingAtPath: "\(folder)/\(name)"))
      try file.seekToEnd()
      try file.write(contentsOf: Data(junk.utf8))
      try file.close()
    }
    try job.train("kd", live: false, threads: 2, into: "run", epochs: 3)
    let table = try job.text("run/summary.csv").split(separator: "\n")
    #expect(table.map { $0.prefix { $0 != "," } } == ["epoch", "1", "2", "3"])
    let metrics = try Data(contentsOf: URL(fileURLWithPath: folder + "/metrics.jsonl"))
    let expected = EventFile.bytes(
      try EpochMetrics.lines(of: metrics), configuration: try job.text("run/config.yaml"))
    let events = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(EventFile.name)"))
    let isEqual = events == Data(expected)
    #expect(isEqual, "\(events.count) bytes of events, expected \(expected.count)")
  }
}
