import Datasets
import Distillation
import Networks
import TeacherCache
import Tensors
import Testing

/// The replay proof: stored outputs are given out only for the pixels that the teacher saw.
struct ReplayTests {
  private static let tap = TapShape(tap: "stage1", height: 2, width: 2, channels: 1)

  /// Stored outputs of which one view has the hash of other pixels.
  private final class Stored: StoredOutputs {
    let identity: CacheIdentity
    private let renderer: ViewRenderer
    private let wrong: ViewKey?

    init(_ renderer: ViewRenderer, wrong: ViewKey?) {
      self.renderer = renderer
      self.wrong = wrong
      identity = CacheIdentity(
        dataset: "mnist", datasetHash: "", classes: 10, height: 28, width: 28, augmentations: [:],
        viewSeed: 0, teacherArchitecture: "resnet8", teacherWeights: "", teacherMean: [0, 0, 0],
        teacherStd: [1, 1, 1], logits: .fp32, featurePrecision: .fp32)
    }

    func holds(_ key: ViewKey, tap: String?) -> Bool { true }
    func prefetch(_ key: ViewKey, tap: String?) -> Bool { false }

    private func hash(_ key: ViewKey) -> UInt64 {
      var pixels = [UInt8](repeating: 0, count: 28 * 28 * 3)
      var scratch = RenderScratch(imageBytes: pixels.count)
      return pixels.withUnsafeMutableBufferPointer {
        renderer.render(key, into: $0, scratch: &scratch) ^ (key == wrong ? 1 : 0)
      }
    }

    func readDetails(
      _ key: ViewKey, into logits: UnsafeMutablePointer<Float>
    ) throws(CacheError) -> (pixelHash: UInt64, label: Int, confidence: Float?) {
      for c in 0..<10 { logits[c] = Float(key.image * 10 + c) }
      return (hash(key), 0, nil)
    }

    func readFeatures(
      _ key: ViewKey, tap: String, into values: UnsafeMutableBufferPointer<Float>
    ) throws(CacheError) -> UInt64 {
      values.update(repeating: Float(key.image))
      return hash(key)
    }
  }

  private func teacher(wrong: ViewKey?) throws -> (teacher: CachedTeacher, batch: ViewBatch) {
    let execution = Execution(threads: 2)
    let renderer = ViewRenderer(images: try Digits.train(), info: DatasetName.mnist.info, seed: 0)
    let keys = [3, 5, 8].map { ViewKey(image: $0, view: .strong(1)) }
    return (
      CachedTeacher(
        Stored(renderer, wrong: wrong), taps: [Self.tap], renderer: renderer, on: execution),
      ViewBatch(keys: keys, renderer: renderer, on: execution)
    )
  }

  @Test func whatIsStoredIsGivenOutForTheSamePixels() throws {
    let (teacher, batch) = try teacher(wrong: nil)
    let expected = [3, 5, 8].flatMap { image in (0..<10).map { Double(image * 10 + $0) } }
    #expect(try teacher.logits(batch).logits.values == expected)
    let features = try teacher.features(batch, taps: ["stage1"])["stage1"]
    #expect(features?.values == [3, 3, 3, 3, 5, 5, 5, 5, 8, 8, 8, 8])
  }

  @Test func otherPixelsAreRefusedNamingTheView() throws {
    let wrong = ViewKey(image: 5, view: .strong(1))
    let (teacher, batch) = try teacher(wrong: wrong)
    let hash = batch.hashes[1]
    let reads = [
      { _ = try teacher.logits(batch) }, { _ = try teacher.features(batch, taps: ["stage1"]) },
    ]
    for read in reads {
      let error = #expect(throws: ReplayMismatch.self) { try read() }
      #expect(error?.key == wrong)
      #expect(error?.found == hash)
      #expect(error?.expected == hash ^ 1)
    }
  }
}
