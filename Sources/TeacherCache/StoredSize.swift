internal import Datasets

/// How many bytes records will take in a unit, found by coding them without writing.
package struct StoredSize {
  private let identity: CacheIdentity
  private let taps: [TapShape]
  private let planes = PlaneEncoder()
  /// Logits and features, with what a segment adds to each record.
  package private(set) var logitBytes = 0
  package private(set) var featureBytes = 0

  package init(_ identity: CacheIdentity, taps: [TapShape]) {
    self.identity = identity
    self.taps = taps
  }

  /// Adds all views of one image that one unit will hold.
  package mutating func add(_ views: [ViewRecord], image: Int) throws(CacheError) {
    var logits = LogitBlocks()
    for view in views {
      let key = RecordKey(image: image, view: view.view)
      let what = "image \(image), \(view.view)"
      if let row = view.logits {
        let quantized = try LogitQuantizer.quantize(row, codec: identity.logits, what: what)
        logits.add(LogitView(pixelHash: view.pixelHash, row: quantized), key: key)
      }
      for shape in taps {
        guard let values = view.features[shape.tap] else { continue }
        let parts = try FeatureRecord.parts(
          values, shape: shape, precision: identity.featurePrecision, pixelHash: view.pixelHash,
          what: what)
        featureBytes += Self.perRecord + parts.stored(planes).count
      }
    }
    for block in logits.blocks {
      logitBytes += Self.perRecord + LogitRecord.encode(block.views, codec: identity.logits).count
    }
  }

  /// Header, checksum and the segment's directory entry.
  private static let perRecord = RecordHeader.overhead + 12

  /// What a unit's file has beside its records: LMDB's own pages, the tables' trees, last segments
  /// that end within a page.
  package static func unitOverhead(tables: Int) -> Int { (8 + 4 * tables) * 4096 }
}
