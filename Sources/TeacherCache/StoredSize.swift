import Datasets

/// How many bytes records will take in a unit, found by coding them without writing.
package struct StoredSize {
  private let taps: [TapShape]
  private var coder: RecordCoder
  /// Logits and features, with what a segment adds to each record.
  package private(set) var logitBytes = 0
  package private(set) var featureBytes = 0

  package init(_ identity: CacheIdentity, taps: [TapShape]) {
    self.taps = taps
    coder = RecordCoder(identity)
  }

  /// Adds all views of one image that one unit will hold.
  package mutating func add(_ views: [ViewRecord], image: Int) throws(CacheError) {
    var logits = LogitBlocks()
    for view in views {
      let key = RecordKey(image: image, view: view.view)
      if view.logits != nil { logits.add(try coder.logits(view, image: image).view, key: key) }
      for shape in taps where view.features[shape.tap] != nil {
        let parts = try coder.features(view, image: image, shape)
        featureBytes += Self.perRecord + coder.record(of: parts, shape, key, label: 0).stored.count
      }
    }
    for block in logits.blocks {
      logitBytes += Self.perRecord + coder.record(of: block.views, block.key, label: 0).stored.count
    }
  }

  /// Header, checksum and the segment's directory entry.
  private static let perRecord = RecordHeader.overhead + 12

  /// What a unit's file has beside its records: LMDB's own pages, the tables' trees, last segments
  /// that end within a page.
  package static func unitOverhead(tables: Int) -> Int { (8 + 4 * tables) * 4096 }
}
