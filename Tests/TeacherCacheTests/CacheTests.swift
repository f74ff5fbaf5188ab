import Datasets
import Foundation
import TestSupport
import Testing

@testable import TeacherCache

@Suite struct CacheTests {
  private let teacher = FakeTeacher()
  private let views = [View.plain] + weak(0..<3) + [.strong(0), .strong(1), .crop(7)]

  @Test(arguments: LogitCodec.allCases)
  func readsWhatWasWritten(codec: LogitCodec) throws {
    let directory = try TemporaryDirectory()
    let images = Array(0..<40) + [5000, 9001]
    try teacher.dump(directory.path, .sample(codec), images: images.reversed(), views: views)
    let reader = try CacheReader.open(directory.path)
    #expect(reader.images == images)
    var logits = [Float](repeating: 0, count: 10)
    for image in images.shuffled() {
      for view in views {
        let exact = teacher.logits(image, view)
        let hash = try reader.read(ViewKey(image: image, view: view), into: &logits)
        let row = try LogitQuantizer.quantize(exact, codec: codec, what: "")
        #expect(hash == teacher.pixelHash(image, view))
        for (value, expected) in zip(logits, exact) {
          #expect(abs(value - expected) <= Float((codec.step ?? 0.06) / 2) * 1.0001)
        }
        if codec == .fp32 { #expect(logits == exact) }
        let whole = try reader.read(image: image, view: view)
        #expect(whole.label == teacher.label(image))
        #expect(whole.logits == logits)
        let confidence = exact.withUnsafeBufferPointer(LogitQuantizer.confidence(of:))
        #expect(abs(whole.confidence - confidence) < 0.005)
        if codec.step != nil {
          #expect(whole.confidence == LogitQuantizer.confidence(doubt: row.doubt))
        }
      }
    }
    let error = #expect(throws: CacheError.self) {
      try reader.read(ViewKey(image: 3, view: .weak(3)), into: &logits)
    }
    #expect(error == .missing(what: "logits of image 3, weak:3", path: directory.path))
    #expect(try CacheReader.verify(directory.path).recordsChecked == images.count * views.count)
  }

  @Test(arguments: FeaturePrecision.allCases)
  func readsFeatures(precision: FeaturePrecision) throws {
    let directory = try TemporaryDirectory()
    let identity = CacheIdentity.sample(features: precision)
    try teacher.dump(
      directory.path, identity, images: [1, 2, 3], views: weak(0..<2), taps: FakeTeacher.taps,
      featureViews: [.weak(0), .weak(5)])
    let reader = try CacheReader.open(directory.path)
    for shape in FakeTeacher.taps {
      var values = [Float](repeating: 0, count: shape.count)
      for image in 1...3 {
        for view in [View.weak(0), .weak(5)] {
          let hash = try values.withUnsafeMutableBufferPointer {
            try reader.readFeatures(ViewKey(image: image, view: view), tap: shape.tap, into: $0)
          }
          #expect(hash == teacher.pixelHash(image, view))
          let exact = teacher.features(image, view, shape)
          let largest = exact.max() ?? 0
          for (value, expected) in zip(values, exact) {
            switch precision {
            case .fp32: #expect(value == expected)
            case .fp16: #expect(abs(value - expected) <= abs(expected) / 2048)
            case .q8: #expect(abs(value - expected) <= largest / 510 * 1.0001)
            }
          }
        }
      }
    }
    #expect(try CacheReader.verify(directory.path).recordsChecked == 3 * (2 + 2 * 2))
    #expect(reader.holds(ViewKey(image: 1, view: .weak(5))) == false)
    // The system would refuse an address inside a page.
    for (view, tap, isThere) in [
      (View.weak(0), nil, true), (.weak(5), nil, false), (.weak(5), "stage2", true),
      (.weak(1), "stage2", false),
    ] {
      for image in 1...3 {
        #expect(reader.prefetch(ViewKey(image: image, view: view), tap: tap) == isThere)
      }
    }
    #expect(
      throws: CacheError.missing(
        what: "features of stage1 for image 1, weak:1", path: directory.path)
    ) {
      try reader.contents.require(
        images: [1], views: weak(0..<2), taps: ["stage1"], featureViews: weak(0..<2))
    }
  }

  @Test func asksOnlyForWhatIsMissing() throws {
    let directory = try TemporaryDirectory()
    let identity = CacheIdentity.sample()
    let images = Array(0..<30)
    #expect(try teacher.dump(directory.path, identity, images: images, views: weak(0..<2)) == 1)
    #expect(try teacher.dump(directory.path, identity, images: images, views: weak(0..<2)) == 0)
    let writer = try CacheWriter.open(directory.path, identity: identity, kernelLevel: "test")
    let more = try writer.missing(
      images: images + [30], views: weak(0..<3), taps: FakeTeacher.taps, featureViews: [.weak(0)])
    let taps = FakeTeacher.taps.map(\.tap)
    #expect(more.map(\.images) == [images, [30]])
    #expect(
      more.first?.requests == [
        ViewRequest(view: .weak(0), needsLogits: false, taps: taps),
        ViewRequest(view: .weak(2), needsLogits: true, taps: []),
      ])
    let other = TapShape(tap: "stage1", height: 8, width: 8, channels: 3)
    for work in more {
      let unit = try writer.begin(work)
      try teacher.fill(unit)
      try unit.seal()
    }
    #expect(throws: CacheError.self) {
      _ = try writer.missing(images: images, views: [], taps: [other], featureViews: [.weak(0)])
    }
    writer.close()
    let reader = try CacheReader.open(directory.path)
    try reader.contents.require(
      images: images + [30], views: weak(0..<3), taps: taps, featureViews: [.weak(0)])
    #expect(reader.info.records == 30 * 2 + 30 + 3)
    let whole = try TemporaryDirectory()
    try teacher.dump(
      whole.path, identity, images: images + [30], views: weak(0..<3), taps: FakeTeacher.taps,
      featureViews: [.weak(0)])
    #expect(try CacheReader.open(whole.path).contentHash == reader.contentHash)
  }

  @Test func cutsUnitsAtMultiplesOfAPowerOfTwo() {
    let plan = { (views: Int, images: [Int]) in
      UnitPlan(
        identity: .sample(classes: 1000), units: [], views: weak(0..<views), taps: [],
        featureViews: []
      ).missing(images).map { ($0.images.first ?? -1, $0.images.count) }
    }
    #expect(plan(1, Array(0..<10_000)).map(\.0) == [0, 4096, 8192])
    #expect(plan(162, Array(1000..<3100)).map(\.0) == [1000, 1024, 2048, 3072])
  }

  @Test func manyThreadsReadAtOnce() throws {
    let directory = try TemporaryDirectory()
    try teacher.dump(directory.path, .sample(.q8), images: Array(0..<200), views: weak(0..<40))
    let reader = try CacheReader.open(directory.path)
    let teacher = teacher
    DispatchQueue.concurrentPerform(iterations: 8) { worker in
      var stream = SplitMix64(state: UInt64(worker))
      var logits = [Float](repeating: 0, count: 10)
      for _ in 0..<2000 {
        let image = Int(stream.next() % 200)
        let view = View.weak(Int(stream.next() % 40))
        let hash = try? reader.read(ViewKey(image: image, view: view), into: &logits)
        let largest = zip(logits, teacher.logits(image, view)).map { abs($0 - $1) }.max() ?? 1
        if hash != teacher.pixelHash(image, view) || largest > 0.0601 {
          Issue.record("image \(image), \(view): \(largest)")
        }
      }
    }
  }

  @Test func refusesAnotherIdentityNamingTheField() throws {
    let directory = try TemporaryDirectory()
    try teacher.dump(directory.path, .sample(), images: [0], views: [.plain])
    let changes: [(String, (inout CacheIdentity) -> Void)] = [
      ("dataset", { $0.dataset = "mnist" }), ("datasetHash", { $0.datasetHash = "00" }),
      ("classes", { $0.classes = 11 }), ("height", { $0.height = 28 }),
      ("width", { $0.width = 28 }), ("augmentations", { $0.augmentations["weak"] = "other@2" }),
      ("viewSeed", { $0.viewSeed = 8 }), ("teacherArchitecture", { $0.teacherArchitecture = "x" }),
      ("teacherWeights", { $0.teacherWeights = "x" }), ("teacherMean", { $0.teacherMean[1] = 0.4 }),
      ("teacherStd", { $0.teacherStd[2] = 0.3 }), ("logits", { $0.logits = .q8 }),
      ("featurePrecision", { $0.featurePrecision = .q8 }),
    ]
    for (field, change) in changes {
      var identity = CacheIdentity.sample()
      change(&identity)
      let error = #expect(throws: CacheError.self) {
        _ = try CacheWriter.open(directory.path, identity: identity, kernelLevel: "")
      }
      guard case .mismatch(field, let expected, let found) = error else {
        Issue.record("\(field): \(String(describing: error))")
        continue
      }
      #expect(expected != found)
    }
  }

  @Test func refusesValuesThatCannotBeStored() throws {
    let directory = try TemporaryDirectory()
    let writer = try CacheWriter.open(
      directory.path, identity: .sample(features: .fp16), kernelLevel: "")
    let plan = try writer.missing(
      images: [4], views: [.plain], taps: FakeTeacher.taps, featureViews: [.plain])
    let unit = try writer.begin(try #require(plan.first))
    for bad in [Float.nan, .infinity, 65_505, -1e9] {
      let record = teacher.record(4, unit.unit.requests[0])
      var features = record.features
      features["stage2"]?[3] = bad
      let error = #expect(throws: CacheError.self) {
        try unit.append(
          image: 4, label: 0,
          views: [ViewRecord(view: .plain, pixelHash: 0, logits: record.logits, features: features)]
        )
      }
      #expect(error?.description.contains("image 4, plain, tap stage2") == true)
    }
  }
}
