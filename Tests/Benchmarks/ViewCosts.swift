import Datasets
import Reporting

/// What views cost on one thread: rendering them, and the hash that is their replay proof.
struct ViewCosts {
  private let job: Job

  init(_ job: Job) { self.job = job }

  func measure() throws {
    guard let path = job.data else { throw JobError(description: "views: no data folder") }
    let name = try DatasetName(parsing: job.settings["dataset"] ?? "cifar100")
    let images = try ImageDataset.loadTrain(name, from: path)
    let renderer = ViewRenderer(images: images, info: name.info, seed: 0)
    var pixels = [UInt8](repeating: 0, count: name.info.imageBytes)
    var scratch = RenderScratch(imageBytes: name.info.imageBytes)
    var hashes: UInt64 = 0
    /// Nanoseconds of one call, `body` being called with 0, 1, 2, …
    func cost(_ body: (Int, UnsafeMutableBufferPointer<UInt8>) -> UInt64) -> JSONValue {
      let piece = 1000
      var number = 0
      let times = stopwatch(seconds: job.seconds / 3) {
        pixels.withUnsafeMutableBufferPointer { pixels in
          for _ in 0..<piece {
            hashes ^= body(number, pixels)
            number = (number + 1) % images.count
          }
        }
      }
      return .number(median(times) / Double(piece) * 1e9)
    }
    serve {
      [
        ("hash_ns", cost { _, pixels in pixelHash(UnsafeBufferPointer(pixels)) }),
        (
          "weak_ns",
          cost { image, pixels in
            renderer.render(
              ViewKey(image: image, view: .weak(0)), into: pixels, scratch: &scratch)
          }
        ),
        (
          "strong_ns",
          cost { image, pixels in
            renderer.render(
              ViewKey(image: image, view: .strong(0)), into: pixels, scratch: &scratch)
          }
        ),
      ]
    }
    // Used, so that no call can be left out.
    if hashes == 1 { say("NOTE", []) }
  }
}
