import Datasets
import Distillation
import Experiments
import TeacherCache
import Tensors
import Testing

struct CacheProofTests {
  /// As a writer of another program may have stored them: the logits are of the right pixels.
  @Test func featuresOfOtherPixelsAreFound() throws {
    let job = try SmallJob(images: 8)
    defer { job.remove() }
    let path = job.folder + "/cache"
    try job.dump(views: "weak:2") { $0.form.taps = [] }
    let logits = try CacheReader.open(path)
    let prove = {
      let cache = try CacheReader.open(path)
      return try CacheProof(cache, dataPath: SmallJob.data, on: Execution(threads: 1))
        .check(cache.storedKeys(), teacher: nil) { _ in }
    }
    #expect(try prove().viewsReplayed == 16)

    let shape = TapShape(tap: "stage3", height: 7, width: 7, channels: 64)
    let writer = try CacheWriter.open(path, identity: logits.identity, kernelLevel: "")
    let work = try writer.missing(
      images: logits.images, views: [], taps: [shape], featureViews: [.weak(1)])
    for work in work {
      let unit = try writer.begin(work)
      for image in unit.remainingImages {
        let record = ViewRecord(
          view: .weak(1), pixelHash: 1, logits: nil,
          features: [shape.tap: Array(repeating: 0, count: shape.count)])
        try unit.append(image: image, label: 0, views: [record])
      }
      try unit.seal()
    }
    writer.close()
    let error = #expect(throws: ReplayMismatch.self) { try prove() }
    #expect(error?.key == ViewKey(image: 0, view: .weak(1)))
  }
}
