internal import Datasets
internal import Dispatch
internal import LMDB

/// Fills one unit, image by image, in large transactions; what was committed survives a kill.
///
/// One thread uses it. Dropping it without `seal()` leaves an unsealed unit, which
/// `CacheWriter.begin` of the same work goes on with.
package final class UnitWriter {
  /// A transaction is committed when it holds so many bytes or is so old.
  static let transactionBytes = 64 << 20
  static let transactionSeconds = 5.0

  package let unit: WorkUnit
  let directory: String
  let codec: LogitCodec
  private let classes: Int
  private let precision: FeaturePrecision
  private let planes = PlaneEncoder()
  private var environment: Environment?
  private var builders: [SegmentBuilder]
  private var pending: [(table: String, key: [UInt8], value: [UInt8])] = []
  private var pendingBytes = 0
  private var lastCommit = DispatchTime.now()
  /// What was appended.
  private(set) var account: UnitAccount
  /// Images that are safe.
  private var committed: Int
  private var meter: CodingMeter
  /// What computes the records that are appended.
  private let kernelLevels: KernelLevels
  private let onSeal: (UnitWriter) throws(CacheError) -> Void

  init(
    _ unit: WorkUnit, directory: String, identity: CacheIdentity, kernelLevels: KernelLevels,
    mapBytes: Int, onSeal: @escaping (UnitWriter) throws(CacheError) -> Void
  ) throws(CacheError) {
    let (environment, account) = try UnitAccount.open(
      directory, for: unit, identity, mapBytes: mapBytes)
    self.account = account
    self.unit = unit
    self.directory = directory
    self.environment = environment
    self.onSeal = onSeal
    codec = identity.logits
    classes = identity.classes
    precision = identity.featurePrecision
    builders =
      [SegmentBuilder(table: RecordTable.logits)]
      + unit.taps.map { SegmentBuilder(table: RecordTable.features($0.tap)) }
    committed = account.done
    self.kernelLevels = kernelLevels
    meter = CodingMeter(codec: identity.logits, classes: identity.classes)
  }

  /// The images still to be appended, in this order.
  package var remainingImages: [Int] { Array(unit.images.dropFirst(account.done)) }

  /// Adds everything that the unit asks of one image, the next of `remainingImages`.
  package func append(image: Int, label: Int, views: [ViewRecord]) throws(CacheError) {
    precondition(
      account.done < unit.images.count && unit.images[account.done] == image,
      "image \(image) appended where \(remainingImages.first.map(String.init) ?? "none") is next")
    precondition((0..<65_536).contains(label), "label \(label)")
    let records = Dictionary(views.map { ($0.view, $0) }, uniquingKeysWith: { first, _ in first })
    var logits = LogitBlocks()
    for request in unit.requests {
      guard let record = records[request.view] else {
        preconditionFailure("image \(image) was appended without \(request.view)")
      }
      if request.needsLogits {
        let row = try quantize(record, image)
        logits.add(
          LogitView(pixelHash: record.pixelHash, row: row),
          key: RecordKey(image: image, view: request.view))
      }
      for tap in request.taps {
        try append(image, label, record, tap)
      }
    }
    for block in logits.blocks { append(block.views, label, block.key) }
    try finishImage()
  }

  /// Adds already quantised views of blocks and features that are already coded.
  ///
  /// - Parameters:
  ///   - largestError: |z − decoded z| that none of the views exceeds.
  ///   - errors: what coding did, of the views of which that is known.
  func append(
    image: Int, label: Int, blocks: [(key: RecordKey, views: [LogitView])],
    features: [(tap: String, key: RecordKey, parts: FeatureRecord.Parts)],
    largestError: Double, errors: [ViewError]
  ) throws(CacheError) {
    for block in blocks { append(block.views, label, block.key) }
    for feature in features { append(feature.parts, feature.tap, label, feature.key) }
    account.logitError = max(account.logitError, largestError)
    for error in errors { account.coding.add(error) }
    try finishImage()
  }

  /// Commits, closes, hashes and renames: from now on readers see the unit.
  package func seal() throws(CacheError) {
    precondition(
      account.done == unit.images.count, "sealed with \(remainingImages.count) images missing")
    try commit()
    environment = nil
    try onSeal(self)
  }

  /// Makes what was appended so far durable.
  package func commit() throws(CacheError) {
    for index in builders.indices { gather(index) }
    guard let environment else { preconditionFailure("the unit is sealed") }
    while true {
      do throws(LMDBError) {
        try environment.write { transaction throws(LMDBError) in
          for (table, key, value) in pending {
            try transaction.append(key, value, to: try transaction.table(table))
          }
          try account.write(transaction)
        }
        break
      } catch {
        guard error.kind == .mapFull else {
          throw CacheError(error, recordsSafe: committed * unit.requests.count)
        }
        do throws(LMDBError) { try environment.grow() } catch { throw CacheError(error) }
      }
    }
    pending.removeAll(keepingCapacity: true)
    pendingBytes = 0
    committed = account.done
    lastCommit = .now()
  }

  private func finishImage() throws(CacheError) {
    account.done += 1
    account.kernelLevels.formUnion(kernelLevels)
    let age = Double(DispatchTime.now().uptimeNanoseconds - lastCommit.uptimeNanoseconds) / 1e9
    if pendingBytes >= Self.transactionBytes || age >= Self.transactionSeconds { try commit() }
  }

  private func quantize(_ record: ViewRecord, _ image: Int) throws(CacheError) -> QuantizedRow {
    guard let logits = record.logits, logits.count == classes else {
      preconditionFailure(
        "image \(image) \(record.view): \(record.logits?.count ?? 0) logits, not \(classes)")
    }
    let row = try LogitQuantizer.quantize(
      logits, codec: codec, what: "image \(image), \(record.view), logits")
    let error = meter.measure(logits, row, record.view.kind)
    account.logitError = max(account.logitError, error.logit)
    account.coding.add(error)
    return row
  }

  private func append(_ views: [LogitView], _ label: Int, _ key: RecordKey) {
    for (index, view) in views.enumerated() {
      account.content.add(
        logits: view, key: RecordKey(value: key.value + UInt64(index)), label: label)
    }
    let header = RecordHeader(
      logits: key, codec, views: views.count, classes: classes, label: label)
    append(header, LogitRecord.encode(views, codec: codec), to: 0)
  }

  private func append(
    _ image: Int, _ label: Int, _ record: ViewRecord, _ tap: String
  ) throws(CacheError) {
    guard let shape = unit.taps.first(where: { $0.tap == tap }), let values = record.features[tap],
      values.count == shape.count
    else {
      preconditionFailure(
        "image \(image) \(record.view) \(tap): \(record.features[tap]?.count ?? 0) features")
    }
    let parts = try FeatureRecord.parts(
      values, shape: shape, precision: precision, pixelHash: record.pixelHash,
      what: "image \(image), \(record.view), tap \(tap)")
    append(parts, tap, label, RecordKey(image: image, view: record.view))
  }

  private func append(
    _ parts: FeatureRecord.Parts, _ tap: String, _ label: Int, _ key: RecordKey
  ) {
    guard let index = unit.taps.firstIndex(where: { $0.tap == tap }) else {
      preconditionFailure("the unit has no tap \(tap)")
    }
    let shape = unit.taps[index]
    account.content.add(features: parts.expanded, tap: tap, key: key, label: label)
    let header = RecordHeader(features: key, precision, shape, label: label)
    append(header, parts.stored(planes), to: index + 1)
  }

  private func append(_ header: RecordHeader, _ stored: [UInt8], to index: Int) {
    if builders[index].isFull(for: stored.count + RecordHeader.overhead) { gather(index) }
    builders[index].append(header, stored)
  }

  private func gather(_ index: Int) {
    let table = builders[index].table
    guard let (key, value) = builders[index].take() else { return }
    pending.append((table, key, value))
    pendingBytes += value.count
  }
}
