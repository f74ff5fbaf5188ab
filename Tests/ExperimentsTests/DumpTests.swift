import Experiments
import Foundation
import TeacherCache
import Testing

/// Dumps: how their passes are cut and what they count.
struct DumpTests {
  /// One image of weak:100 is more than a batch of 30: four passes of 25.
  @Test func anImageOfManyViewsTakesSeveralPasses() throws {
    let job = try SmallJob(images: 2)
    defer { job.remove() }
    var passes = 0
    try job.dump(views: "weak:100", change: { $0.batchSize = 30 }) {
      passes += 1
      return false
    }
    #expect(passes == 8)
    let hash = try CacheReader.open(job.folder + "/cache").contentHash
    try FileManager.default.removeItem(atPath: job.folder + "/cache")
    try job.dump(views: "weak:100")
    #expect(try CacheReader.open(job.folder + "/cache").contentHash == hash)
  }

  /// Its views a second are those of its own time.
  @Test func aDumpThatGoesOnCountsWhatItSawItself() throws {
    let job = try SmallJob(images: 20)
    defer { job.remove() }
    #expect(throws: Stopped.self) {
      try job.dump(views: "weak:2", change: { $0.batchSize = 10 }) { true }
    }
    let report = try job.dump(views: "weak:2", change: { $0.batchSize = 10 })
    #expect(report.views == 30 && report.kept == 10)
    let nothing = try job.dump(views: "weak:2")
    #expect(nothing.views == 0 && nothing.kept == 0)
  }
}
