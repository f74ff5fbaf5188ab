import Datasets
import Experiments
import TeacherCache
import Testing

struct StoredKeysTests {
  /// Against the plain walk over units, images and views; one unit holds features only.
  @Test func theyAreTheViewsInOrderOrOneOfEachStretch() throws {
    let job = try SmallJob(images: 9)
    defer { job.remove() }
    try job.dump(views: "weak:3") { $0.form.taps = [] }
    try job.dump(views: "weak:3", features: "weak:1")
    try job.dump(views: "plain,strong:2") { $0.form.taps = [] }
    let cache = try CacheReader.open(job.folder + "/cache")
    let units = cache.manifest.units
    #expect(units.count == 3 && units.contains { $0.records == 0 })
    var all: [ViewKey] = []
    for unit in units {
      for image in unit.images.numbers {
        for view in unit.logits.views { all.append(ViewKey(image: image, view: view)) }
      }
    }
    #expect(all.count == 9 * 6 && Set(all).count == all.count)
    #expect(Array(cache.storedKeys()) == all)
    for limit in [1, 2, 7, 53, 54, 55, .max] {
      let count = min(limit, all.count)
      let sample = cache.storedKeys(limit: limit)
      #expect(sample.count == count)
      for (index, key) in sample.enumerated() {
        let stretch = all[index * all.count / count..<(index + 1) * all.count / count]
        #expect(stretch.contains(key), "\(index) of \(limit)")
      }
    }
  }

  /// Where a stretch is a whole image, its first view would always be the same one.
  @Test func aSampleHoldsEveryView() throws {
    let job = try SmallJob(images: 60)
    defer { job.remove() }
    try job.dump(views: "plain,weak:2,strong:2") { $0.form.taps = [] }
    let sample = try CacheReader.open(job.folder + "/cache").storedKeys(limit: 60)
    #expect(Set(sample.map(\.image)).count == 60)
    #expect(Set(sample.map(\.view)).count == 5)
  }
}
