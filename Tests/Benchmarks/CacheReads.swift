import Datasets
import Experiments
import Reporting
import TeacherCache
import Tensors

/// Reads the logits of a cache on this thread alone: from front to back, and anywhere.
struct CacheReads {
  private let job: Job

  init(_ job: Job) { self.job = job }

  func measure() throws {
    guard let path = job.cache else { throw JobError(description: "reads: no cache") }
    let cache = try CacheReader.open(path)
    let inOrder = Array(cache.storedKeys(limit: 1 << 20))
    guard !inOrder.isEmpty else { throw JobError(description: "reads: \(path) is empty") }
    var random = RandomStream(key: 1, stream: (0, 0, 0))
    let anywhere = (0..<(1 << 18)).map { _ in inOrder[random.below(inOrder.count)] }
    let row = Tensor([cache.identity.classes], in: TensorMemory())
    func speed(_ keys: [ViewKey]) throws -> JSONValue {
      let piece = 4096
      var first = 0
      var read = 0
      let times = try stopwatch(seconds: job.seconds / 2) {
        for key in keys[first..<min(first + piece, keys.count)] {
          _ = try cache.readDetails(key, into: row.pointer)
          read += 1
        }
        first = first + piece < keys.count ? first + piece : 0
      }
      return .number(Double(read) / times.reduce(0, +))
    }
    _ = try speed(inOrder)
    try serve { [("in_order", try speed(inOrder)), ("at_random", try speed(anywhere))] }
  }
}
