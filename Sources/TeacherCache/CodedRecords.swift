internal import Datasets

/// Records that are coded already, from which a unit can be put together without the teacher.
protocol CodedRecords {
  /// A view's logits with the image's label; what coding did to them where that is known of this
  /// view, or at most did where it is not.
  func logits(_ key: RecordKey) throws(CacheError) -> CodedLogits
  func features(
    _ key: RecordKey, tap: String
  ) throws(CacheError) -> (label: Int, parts: FeatureRecord.Parts)
}

struct CodedLogits {
  let view: LogitView
  let label: Int
  let error: ViewError?
  let largestError: Double
}

extension UnitWriter {
  /// Adds everything that the unit asks of one image, as it was coded before.
  func copy(_ image: Int, from records: some CodedRecords) throws(CacheError) {
    var label = 0
    var blocks = LogitBlocks()
    var errors: [ViewError] = []
    var largestError = 0.0
    var copied: [(tap: String, key: RecordKey, parts: FeatureRecord.Parts)] = []
    for request in unit.requests {
      let key = RecordKey(image: image, view: request.view)
      if request.needsLogits {
        let logits = try records.logits(key)
        label = logits.label
        largestError = max(largestError, logits.largestError)
        if let error = logits.error { errors.append(error) }
        blocks.add(logits.view, key: key)
      }
      for tap in request.taps {
        let (imageLabel, parts) = try records.features(key, tap: tap)
        label = imageLabel
        copied.append((tap, key, parts))
      }
    }
    try append(
      image: image, label: label, blocks: blocks.blocks, features: copied,
      largestError: largestError, errors: errors)
  }
}

/// The records of a sealed unit.
struct SealedRecords: CodedRecords {
  private let source: UnitReader
  private let identity: CacheIdentity
  private let block = LogitBlock()
  private let decoder = FeatureDecoder()

  init(_ source: UnitReader, _ identity: CacheIdentity) {
    self.source = source
    self.identity = identity
  }

  func logits(_ key: RecordKey) throws(CacheError) -> CodedLogits {
    let (first, bytes) = try source.block(key)
    do throws(MalformedRecord) {
      if block.address != bytes.baseAddress || block.header?.key != first {
        try block.open(bytes, key: first, codec: identity.logits, classes: identity.classes)
      }
      let index = key.round - first.round
      guard let header = block.header, index < header.count else {
        throw MalformedRecord(reason: "its block ends before it")
      }
      // Only the unit's figures are known, not those of one view.
      return CodedLogits(
        view: try block.view(index), label: header.label, error: nil,
        largestError: source.entry.logitError)
    } catch { throw source.corrupt(key, error) }
  }

  func features(
    _ key: RecordKey, tap: String
  ) throws(CacheError) -> (label: Int, parts: FeatureRecord.Parts) {
    let (bytes, shape) = try source.feature(key, tap: tap)
    do throws(MalformedRecord) {
      return try decoder.expanded(
        bytes, key: key, shape: shape, precision: identity.featurePrecision)
    } catch { throw source.corrupt(key, error) }
  }
}
