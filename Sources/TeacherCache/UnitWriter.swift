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
  /// Images appended, and those of them that are safe.
  private var done: Int
  private var committed: Int
  private(set) var content: ContentSum
  /// Largest |z − decoded z| seen.
  private(set) var logitError: Double
  private let onSeal: (UnitWriter) throws(CacheError) -> Void

  init(
    _ unit: WorkUnit, directory: String, identity: CacheIdentity, mapBytes: Int,
    onSeal: @escaping (UnitWriter) throws(CacheError) -> Void
  ) throws(CacheError) {
    let environment = try UnitAccount.open(directory, for: unit, mapBytes: mapBytes)
    let account = try UnitAccount.read(environment)
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
    done = account.done
    committed = account.done
    content = account.content
    logitError = account.logitError
  }

  /// The images still to be appended, in this order.
  package var remainingImages: [Int] { Array(unit.images.dropFirst(done)) }

  /// Adds everything that the unit asks of one image, the next of `remainingImages`.
  package func append(image: Int, label: Int, views: [ViewRecord]) throws(CacheError) {
    precondition(
      done < unit.images.count && unit.images[done] == image,
      "image \(image) appended where \(remainingImages.first.map(String.init) ?? "none") is next")
    precondition((0..<65_536).contains(label), "label \(label)")
    let records = Dictionary(views.map { ($0.view, $0) }, uniquingKeysWith: { first, _ in first })
    var logits: [LogitView] = []
    var runs: [(first: View, count: Int)] = []
    for request in unit.requests {
      guard let record = records[request.view] else {
        preconditionFailure("image \(image) was appended without \(request.view)")
      }
      if request.needsLogits {
        let row = try quantize(record, image)
        let isNext = runs.last.map {
          $0.first.kind == request.view.kind && $0.first.round + $0.count == request.view.round
            && $0.count < RecordBlock.maximumViews
        }
        if isNext ?? false {
          runs[runs.count - 1].count += 1
        } else {
          runs.append((request.view, 1))
        }
        logits.append(
          LogitView(round: request.view.round, pixelHash: record.pixelHash, row: row))
      }
      for tap in request.taps {
        try append(image, label, record, tap)
      }
    }
    var start = 0
    for run in runs {
      let key = RecordKey(image: image, view: run.first)
      append(Array(logits[start..<start + run.count]), label, key)
      start += run.count
    }
    done += 1
    try commitIfDue()
  }

  /// Copies already quantised views of a block and features that are already coded.
  func append(
    image: Int, label: Int, blocks: [(key: RecordKey, views: [LogitView])],
    features: [(tap: String, key: RecordKey, parts: FeatureRecord.Parts)], logitError: Double
  ) throws(CacheError) {
    for block in blocks { append(block.views, label, block.key) }
    for feature in features { append(feature.parts, feature.tap, label, feature.key) }
    self.logitError = max(self.logitError, logitError)
    done += 1
    try commitIfDue()
  }

  /// Commits, closes, hashes and renames: from now on readers see the unit.
  package func seal() throws(CacheError) {
    precondition(done == unit.images.count, "sealed with \(remainingImages.count) images missing")
    try commit()
    environment = nil
    try onSeal(self)
  }

  /// Makes what was appended so far durable.
  package func commit() throws(CacheError) {
    for index in builders.indices { gather(index) }
    guard let environment else { preconditionFailure("the unit is sealed") }
    let account = UnitAccount(done: done, content: content, logitError: logitError)
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
    committed = done
    lastCommit = .now()
  }

  private func commitIfDue() throws(CacheError) {
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
    if let step = codec.step {
      for (code, logit) in zip(row.codes, logits) {
        logitError = max(logitError, abs(Double(LogitQuantizer.logit(code, step: step) - logit)))
      }
    } else if codec == .fp16 {
      for (code, logit) in zip(row.codes, logits) {
        let half = HalfPrecision.value(UInt16(code) | 0x8000)
        logitError = max(logitError, abs(Double(row.maximum + half - logit)))
      }
    }
    return row
  }

  private func append(_ views: [LogitView], _ label: Int, _ key: RecordKey) {
    for (index, view) in views.enumerated() {
      content.add(logits: view, key: RecordKey(value: key.value + UInt64(index)), label: label)
    }
    let header = RecordHeader(
      key: key, encoding: RecordEncoding(codec), count: views.count, label: label, width: classes,
      rawLength: views.count * classes * 4)
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
    content.add(features: parts.expanded, tap: tap, key: key, label: label)
    let header = RecordHeader(
      key: key, encoding: RecordEncoding(precision), count: 1, label: label,
      width: shape.channels, rawLength: shape.count * 4)
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
