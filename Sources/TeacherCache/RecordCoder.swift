import Datasets

/// Codes what the teacher said about views as a cache of one identity stores it.
struct RecordCoder {
  private let identity: CacheIdentity
  private let planes = PlaneEncoder()
  private var meter: CodingMeter

  init(_ identity: CacheIdentity) {
    self.identity = identity
    meter = CodingMeter(codec: identity.logits, classes: identity.classes)
  }

  /// The codes of a view's logits, and what coding does to them.
  mutating func logits(
    _ record: ViewRecord, image: Int
  ) throws(CacheError) -> (view: LogitView, error: ViewError) {
    guard let logits = record.logits, logits.count == identity.classes else {
      preconditionFailure(
        "image \(image) \(record.view): \(record.logits?.count ?? 0) logits, not "
          + "\(identity.classes)")
    }
    let row = try LogitQuantizer.quantize(
      logits, codec: identity.logits, what: "image \(image), \(record.view), logits")
    return (
      LogitView(pixelHash: record.pixelHash, row: row), meter.measure(logits, row, record.view.kind)
    )
  }

  /// The parts of a view's features at a tap.
  func features(
    _ record: ViewRecord, image: Int, _ shape: TapShape
  ) throws(CacheError) -> FeatureRecord.Parts {
    guard let values = record.features[shape.tap], values.count == shape.count else {
      preconditionFailure(
        "image \(image) \(record.view) \(shape.tap): "
          + "\(record.features[shape.tap]?.count ?? 0) features, not \(shape.count)")
    }
    return try FeatureRecord.parts(
      values, shape: shape, precision: identity.featurePrecision, pixelHash: record.pixelHash,
      what: "image \(image), \(record.view), tap \(shape.tap)")
  }

  /// A block of views, the first of which has this key.
  func record(
    of views: [LogitView], _ key: RecordKey, label: Int
  ) -> (header: RecordHeader, stored: [UInt8]) {
    (
      RecordHeader(
        logits: key, identity.logits, views: views.count, classes: identity.classes, label: label),
      LogitRecord.encode(views, codec: identity.logits)
    )
  }

  /// The features of a view at a tap.
  func record(
    of parts: FeatureRecord.Parts, _ shape: TapShape, _ key: RecordKey, label: Int
  ) -> (header: RecordHeader, stored: [UInt8]) {
    (
      RecordHeader(features: key, identity.featurePrecision, shape, label: label),
      parts.stored(planes)
    )
  }
}
