/// The views of one image gathered into blocks: consecutive rounds of a kind, as many as share a
/// record.
struct LogitBlocks {
  private(set) var blocks: [(key: RecordKey, views: [LogitView])] = []

  /// Adds the next view in key order.
  mutating func add(_ view: LogitView, key: RecordKey) {
    if let last = blocks.last, last.views.count < RecordBlock.maximumViews,
      last.key.value + UInt64(last.views.count) == key.value
    {
      blocks[blocks.count - 1].views.append(view)
    } else {
      blocks.append((key, [view]))
    }
  }
}
