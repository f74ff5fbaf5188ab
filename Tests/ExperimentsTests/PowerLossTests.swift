import Experiments
import FileIO
import Foundation
import Networks
import Synchronization
import TestSupport
import Testing

struct PowerLossTests {
  /// What a run does to the disk, and from which event on how many of its steps are promised.
  private final class Recorder: Sendable {
    let log: DiskLog
    private let promises = Mutex<[(event: Int, step: Int)]>([(0, 0)])
    private let isStateNew = Mutex(false)

    init(_ root: String) { log = DiskLog(root) }

    func note(_ change: DiskChange) {
      log.note(change)
      switch change {
      case .renamed(_, to: let new) where new.hasSuffix("/state.safetensors"):
        isStateNew.withLock { $0 = true }
      case .synced(let path):
        let state = path + "/state.safetensors"
        guard isStateNew.withLock({ $0 }), let step = PowerLossTests.step(state) else { return }
        isStateNew.withLock { $0 = false }
        promises.withLock { $0.append((log.count, step)) }
      default: break
      }
    }

    /// The steps that are safe after so many events.
    func promised(_ event: Int) -> Int {
      promises.withLock { $0.last { $0.event <= event }?.step ?? 0 }
    }
  }

  private static func step(_ state: String) -> Int? {
    (try? SafeTensors.read(state).metadata["step"]).flatMap { Int($0) }
  }

  @Test func noPowerCutLosesACheckpoint() throws {
    let job = try SmallJob(images: 40)
    defer { job.remove() }
    try job.dump(views: "weak:2") { $0.form.taps = [] }
    let recorder = Recorder(job.folder)
    let log = recorder.log
    let whole = try DiskChange.$observer.withValue(DiskChange.Observer { recorder.note($0) }) {
      try job.train("kd", live: false, threads: 1, into: "run", epochs: 3)
    }
    let all = try #require(Self.step(job.folder + "/run/state.safetensors"))
    #expect(all == 6 && recorder.promised(log.count) == all)
    var random = SplitMix64(state: 7)
    var (begun, halfway) = (0, 0)
    for number in 0..<faultCount(40, full: 1000) {
      let moment = Int(random.next() % UInt64(log.count + 1))
      let name = "left-\(number)"
      try log.replay(moment, into: "\(job.folder)/\(name)", &random)
      let run = "\(job.folder)/\(name)/run"
      let found = Self.step(run + "/state.safetensors") ?? 0
      #expect(found >= recorder.promised(moment), "step \(found) after event \(moment)")
      if found == 0 { begun += 1 } else if found < all { halfway += 1 }
      if FileManager.default.fileExists(atPath: run + "/summary.json") {
        let last = try Data(contentsOf: URL(fileURLWithPath: run + "/last.safetensors"))
        #expect(Weights(bytes: last) == whole, "after event \(moment)")
      } else {
        let again = try job.train("kd", live: false, threads: 1, into: name + "/run", epochs: 3)
        #expect(again == whole, "after event \(moment)")
      }
      #expect(try job.text(name + "/run/summary.csv").split(separator: "\n").count == 4)
      try FileManager.default.removeItem(atPath: "\(job.folder)/\(name)")
    }
    #expect(begun > 0 && halfway > 0)
  }
}
