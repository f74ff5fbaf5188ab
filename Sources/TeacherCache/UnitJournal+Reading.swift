internal import Datasets

extension UnitJournal: CodedRecords {
  func logits(_ key: RecordKey) throws(CacheError) -> CodedLogits {
    try withLogits(key) { block, bytes throws(MalformedRecord) in
      guard let header = block.header, let error = ViewError(bytes.suffix(ViewError.byteCount))
      else { throw MalformedRecord(reason: "an entry has no figures") }
      return CodedLogits(
        view: try block.view(0), label: header.label, error: error,
        largestError: error.logit)
    }
  }

  func features(
    _ key: RecordKey, tap: String
  ) throws(CacheError) -> (label: Int, parts: FeatureRecord.Parts) {
    let (bytes, shape, path) = try entry(key, tap: tap)
    guard let shape else { preconditionFailure("\(tap) has a shape") }
    let buffers = buffers.borrow()
    defer { self.buffers.giveBack(buffers) }
    return try Self.decoding(bytes, path) { bytes throws(MalformedRecord) in
      try buffers.features.expanded(
        bytes, key: key, shape: shape, precision: identity.featurePrecision)
    }
  }

  /// Decodes a view's logits as a reader of the sealed unit will.
  func read(
    _ key: ViewKey, into logits: UnsafeMutablePointer<Float>
  ) throws(CacheError) -> (pixelHash: UInt64, label: Int, confidence: Float?) {
    try withLogits(RecordKey(image: key.image, view: key.view)) {
      block, _ throws(MalformedRecord) in
      try block.logits(0, into: logits)
      return (block.pixelHash(0), block.header?.label ?? 0, block.confidence(0))
    }
  }

  /// Decodes a view's features as a reader of the sealed unit will.
  func readFeatures(
    _ key: ViewKey, tap: String, into values: UnsafeMutableBufferPointer<Float>
  ) throws(CacheError) -> UInt64 {
    let record = RecordKey(image: key.image, view: key.view)
    let (bytes, shape, path) = try entry(record, tap: tap)
    guard let shape else { preconditionFailure("\(tap) has a shape") }
    precondition(values.count == shape.count, "\(values.count) floats for \(shape.count)")
    let buffers = buffers.borrow()
    defer { self.buffers.giveBack(buffers) }
    return try Self.decoding(bytes, path) { bytes throws(MalformedRecord) in
      try buffers.features.decode(
        bytes, key: record, shape: shape, precision: identity.featurePrecision, into: values)
    }
  }

  private func withLogits<Result>(
    _ key: RecordKey, _ body: (LogitBlock, [UInt8]) throws(MalformedRecord) -> Result
  ) throws(CacheError) -> Result {
    let (entry, _, path) = try entry(key, tap: nil)
    let buffers = buffers.borrow()
    defer { self.buffers.giveBack(buffers) }
    return try Self.decoding(entry, path) { bytes throws(MalformedRecord) in
      try buffers.block.open(bytes, key: key, codec: identity.logits, classes: identity.classes)
      return try body(buffers.block, entry)
    }
  }

  private static func decoding<Result>(
    _ entry: [UInt8], _ path: String,
    _ body: (UnsafeRawBufferPointer) throws(MalformedRecord) -> Result
  ) throws(CacheError) -> Result {
    let result = entry.withUnsafeBytes { bytes -> Swift.Result<Result, MalformedRecord> in
      do throws(MalformedRecord) { return .success(try body(bytes)) } catch {
        return .failure(error)
      }
    }
    do throws(MalformedRecord) { return try result.get() } catch {
      throw .corrupt(path: path, reason: error.reason)
    }
  }
}
