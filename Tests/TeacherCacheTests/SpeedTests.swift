import Datasets
import Foundation
import Testing

@testable import TeacherCache

/// Figures, not checks: set TEACHER_CACHE_SPEED to a folder with `weak.bin` and `strong.bin`
/// (images × 32 views × 100 fp32 logits each) to print them.
@Suite(.serialized) struct SpeedTests {
  private static let folder = ProcessInfo.processInfo.environment["TEACHER_CACHE_SPEED"]

  @Test(
    .enabled(if: folder != nil, "set TEACHER_CACHE_SPEED to measure"),
    arguments: LogitCodec.allCases, [16, 32])
  func sizesAndSpeeds(codec: LogitCodec, rounds: Int) throws {
    let folder = try #require(Self.folder)
    let kinds = try ["weak", "strong"].map {
      try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\($0).bin"))
    }
    let source = kinds[0].count / (32 * 400)
    let images = source * 8
    let views = weak(0..<rounds) + (0..<rounds).map(View.strong)
    let directory = try TemporaryDirectory()
    let rows = kinds.map { data in
      (0..<source * 32).map { row in
        data.withUnsafeBytes { bytes in
          (0..<100).map { bytes.loadUnaligned(fromByteOffset: row * 400 + $0 * 4, as: Float.self) }
        }
      }
    }
    let writer = try CacheWriter.open(
      directory.path, identity: .sample(codec, classes: 100), kernelLevel: "")
    var clock = processorSeconds()
    for work in try writer.missing(
      images: Array(0..<images), views: views, taps: [], featureViews: [])
    {
      let unit = try writer.begin(work)
      for image in unit.remainingImages {
        try unit.append(
          image: image, label: 1,
          views: views.map { view in
            let kind = view.kind == .weak ? 0 : 1
            return ViewRecord(
              view: view,
              pixelHash: UInt64(image) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(view.round)
                &* 0xC2B2_AE3D_27D4_EB4F,
              logits: rows[kind][image % source * 32 + view.round])
          })
      }
      try unit.seal()
    }
    let count = images * views.count
    let write = Double(count) / (processorSeconds() - clock)
    let reader = try CacheReader.open(directory.path)
    var logits = [Float](repeating: 0, count: 100)
    var best = (inOrder: 0.0, random: 0.0)
    for _ in 0..<3 {
      clock = processorSeconds()
      for image in 0..<images {
        for view in views { try reader.read(ViewKey(image: image, view: view), into: &logits) }
      }
      best.inOrder = max(best.inOrder, Double(count) / (processorSeconds() - clock))
      var stream = Stream(state: 1)
      clock = processorSeconds()
      for _ in 0..<100_000 {
        let image = Int(stream.next() % UInt64(images))
        let view = views[Int(stream.next() % UInt64(views.count))]
        try reader.read(ViewKey(image: image, view: view), into: &logits)
      }
      best.random = max(best.random, 1e5 / (processorSeconds() - clock))
    }
    let figures = [write, best.inOrder, best.random].map { "\(Int($0 / 1000))k" }
    print(
      "\(codec) \(rounds)+\(rounds): \(reader.info.logitBytesPerView) B/view,"
        + " write \(figures[0])/s, in order \(figures[1])/s, random \(figures[2])/s,"
        + " error \(reader.info.largestLogitError)")
  }
}

/// Of this thread, so that other work on the machine does not count.
private func processorSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}
