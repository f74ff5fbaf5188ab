import Datasets
import Foundation
import TestSupport
import Testing

@testable import TeacherCache

extension CacheIdentity {
  static func sample(
    _ logits: LogitCodec = .fp32, features: FeaturePrecision = .fp32, classes: Int = 10
  ) -> CacheIdentity {
    CacheIdentity(
      dataset: "cifar10", datasetHash: String(repeating: "ab", count: 32), classes: classes,
      height: 32, width: 32, augmentations: ["weak": "cifar-crop-flip@1"], viewSeed: 7,
      teacherArchitecture: "resnet8", teacherWeights: String(repeating: "cd", count: 32),
      teacherMean: [0.5, 0.5, 0.5], teacherStd: [0.25, 0.25, 0.25], logits: logits,
      featurePrecision: features)
  }
}

/// A teacher without a network: what it says is a function of image, view and tap.
struct FakeTeacher {
  var classes = 10
  /// Of what it says at each tap.
  var shapes = FakeTeacher.taps
  static let taps = [
    TapShape(tap: "stage1", height: 4, width: 4, channels: 3),
    TapShape(tap: "stage2", height: 2, width: 2, channels: 5),
  ]

  func label(_ image: Int) -> Int { image * 7 % classes }

  func pixelHash(_ image: Int, _ view: View) -> UInt64 {
    RecordKey(image: image, view: view).value ^ 0xFEED
  }

  func logits(_ image: Int, _ view: View) -> [Float] {
    var common = SplitMix64(state: UInt64(image) &* 977)
    var own = SplitMix64(state: RecordKey(image: image, view: view).value)
    return (0..<classes).map { _ in common.normal() * 4 + own.normal() }
  }

  func features(_ image: Int, _ view: View, _ shape: TapShape) -> [Float] {
    var stream = SplitMix64(state: RecordKey(image: image, view: view).value &+ UInt64(shape.count))
    return (0..<shape.count).map { _ in max(0, stream.normal()) }
  }

  func record(_ image: Int, _ request: ViewRequest) -> ViewRecord {
    let shapes = shapes.filter { request.taps.contains($0.tap) }
    return ViewRecord(
      view: request.view, pixelHash: pixelHash(image, request.view),
      logits: request.needsLogits ? logits(image, request.view) : nil,
      features: Dictionary(
        uniqueKeysWithValues: shapes.map { ($0.tap, features(image, request.view, $0)) }))
  }

  /// Appends at most `limit` images.
  func fill(_ unit: UnitWriter, limit: Int = .max) throws(CacheError) {
    for image in unit.remainingImages.prefix(limit) {
      try unit.append(
        image: image, label: label(image), views: unit.unit.requests.map { record(image, $0) })
    }
  }

  /// A whole dump; gives the number of units that were missing.
  @discardableResult
  func dump(
    _ directory: String, _ identity: CacheIdentity, images: [Int], views: [View],
    taps: [TapShape] = [], featureViews: [View] = []
  ) throws(CacheError) -> Int {
    let writer = try CacheWriter(directory, identity, "test", mapBytes: 64 << 10)
    defer { writer.close() }
    let plan = try writer.missing(
      images: images, views: views, taps: taps, featureViews: featureViews)
    for work in plan {
      let unit = try writer.begin(work)
      try fill(unit)
      try unit.seal()
    }
    return plan.count
  }
}

func weak(_ rounds: Range<Int>) -> [View] { rounds.map(View.weak) }

let realLogitsFile = Files.reference
  .appendingPathComponent("weights/cifar100_resnet56.test-logits-256.npy")

let hasRealLogits = Files.exists(realLogitsFile)
