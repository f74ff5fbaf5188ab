import Datasets
import Experiments
import TeacherCache
import Testing

struct StoredKeysTests {
  /// Against the plain walk over units, images and views; one unit holds features only.
  @Test func theyAreTheViewsInOrderOrSomeEvenlySpread() throws {
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
      #expect(
        Array(cache.storedKeys(limit: limit)) == (0..<count).map { all[$0 * all.count / count] },
        "\(limit)")
    }
  }
}
