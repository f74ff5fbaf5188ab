internal import Datasets

/// The views of one unit as a training run comes upon them, in any order, until all are there.
///
/// A training step sees one view of each of some images; a unit is written image by image, each
/// with all its views. In between, coded records wait here, in `units/.seen-NAME/`, one file for
/// the logits and one for each tap. A killed run finds them again.
///
/// One thread adds; any number may read between two additions.
final class UnitJournal {
  static let prefix = ".seen-"

  let unit: WorkUnit
  private let directory: String
  let identity: CacheIdentity
  private var tables: [Table]
  private let planes = PlaneEncoder()
  let buffers = ReadBufferPool()
  private var meter: CodingMeter
  private let kernelLevels: KernelLevels
  /// What computed the views that are here.
  private var allKernelLevels: KernelLevels

  /// The logits (`shape` is nil) or the features of one tap.
  private struct Table {
    let shape: TapShape?
    let views: [View: Int]
    var file: JournalFile
  }

  init(
    _ unit: WorkUnit, in units: String, identity: CacheIdentity, kernelLevels: KernelLevels
  ) throws(CacheError) {
    self.unit = unit
    self.identity = identity
    self.kernelLevels = kernelLevels
    directory = units + "/" + Self.prefix + UnitName.of(unit, identity)
    meter = CodingMeter(codec: identity.logits, classes: identity.classes)
    tables = []
    if try ![.directory, .absent].contains(FileSystem.kind(of: directory)) {
      try FileSystem.remove(directory)
    }
    try FileSystem.makeDirectory(directory)
    allKernelLevels = try Self.readLevels(in: directory)
    for shape in [nil] + unit.taps.map(Optional.some) {
      let wanted = unit.requests.filter { request in
        shape.map { request.taps.contains($0.tap) } ?? request.needsLogits
      }
      if wanted.isEmpty { continue }
      let views = Dictionary(
        uniqueKeysWithValues: wanted.enumerated().map { ($0.element.view, $0.offset) })
      let images = unit.images
      let file = try JournalFile(
        directory + "/" + (shape.map { "features-" + $0.tap } ?? "logits"),
        places: images.count * views.count
      ) { key in
        guard let kind = ViewKind(rawValue: key.kindByte) else { return nil }
        return Self.place(key.image, View(kind: kind, round: key.round), images, views)
      }
      tables.append(Table(shape: shape, views: views, file: file))
    }
    if allKernelLevels.names.isEmpty, tables.contains(where: { !$0.file.isEmpty }) {
      // Begun by a version that did not say.
      allKernelLevels = KernelLevels(text: "unknown")
    }
    for image in unit.images {
      missing += unit.requests.count { lacking(ViewKey(image: image, view: $0.view)) != nil }
    }
  }

  /// Whether every view of every image is here.
  var isComplete: Bool { missing == 0 }

  /// (image, view) pairs of which anything is lacking.
  private(set) var missing = 0

  /// What the unit wants of a view and has not got; nil where there is nothing.
  func lacking(_ key: ViewKey) -> ViewRequest? {
    var needsLogits = false
    var taps: [String] = []
    for table in tables {
      guard let place = Self.place(key.image, key.view, unit.images, table.views),
        !table.file.holds(place)
      else { continue }
      if let shape = table.shape { taps.append(shape.tap) } else { needsLogits = true }
    }
    return needsLogits || !taps.isEmpty
      ? ViewRequest(view: key.view, needsLogits: needsLogits, taps: taps) : nil
  }

  /// Whether the logits or the features of a tap are here.
  func holds(_ key: ViewKey, tap: String?) -> Bool {
    tables.contains { table in
      guard table.shape?.tap == tap else { return false }
      return Self.place(key.image, key.view, unit.images, table.views).map(table.file.holds)
        ?? false
    }
  }

  /// Codes and keeps what is lacking of a view.
  func add(_ record: ViewRecord, image: Int, label: Int) throws(CacheError) {
    let key = RecordKey(image: image, view: record.view)
    guard let wanted = lacking(ViewKey(image: image, view: record.view)) else { return }
    if !allKernelLevels.contains(kernelLevels) {
      allKernelLevels.formUnion(kernelLevels)
      try FileSystem.replace(
        directory + "/" + Self.levelsFile, with: Array(allKernelLevels.text.utf8))
    }
    for index in tables.indices {
      guard let place = Self.place(image, record.view, unit.images, tables[index].views),
        !tables[index].file.holds(place)
      else { continue }
      var entry: [UInt8] = []
      if let shape = tables[index].shape {
        guard wanted.taps.contains(shape.tap), let values = record.features[shape.tap],
          values.count == shape.count
        else { preconditionFailure("image \(image) \(record.view) without \(shape.tap)") }
        let parts = try FeatureRecord.parts(
          values, shape: shape, precision: identity.featurePrecision,
          pixelHash: record.pixelHash, what: "image \(image), \(record.view), tap \(shape.tap)")
        RecordHeader(features: key, identity.featurePrecision, shape, label: label)
          .seal(parts.stored(planes), into: &entry)
      } else {
        guard let logits = record.logits, logits.count == identity.classes else {
          preconditionFailure("image \(image) \(record.view) without its logits")
        }
        let row = try LogitQuantizer.quantize(
          logits, codec: identity.logits, what: "image \(image), \(record.view), logits")
        let view = LogitView(pixelHash: record.pixelHash, row: row)
        RecordHeader(
          logits: key, identity.logits, views: 1, classes: identity.classes, label: label
        ).seal(LogitRecord.encode([view], codec: identity.logits), into: &entry)
        entry.append(contentsOf: meter.measure(logits, row, record.view.kind).bytes)
      }
      try tables[index].file.append(entry, at: place)
    }
    missing -= 1
  }

  /// Writes, seals and forgets: all views are here. What a student saw is what is stored, also where a
  /// dump on another machine had begun the unit.
  func seal(with writer: CacheWriter) throws(CacheError) {
    precondition(isComplete, "sealed with \(missing) views missing")
    let target = try writer.beginAnew(unit, kernelLevels: allKernelLevels)
    for image in target.remainingImages { try target.copy(image, from: self) }
    try target.seal()  // removes this journal
  }

  /// Names what computed the views: a run may go on at another kernel level.
  private static let levelsFile = "kernel-levels"

  private static func readLevels(in directory: String) throws(CacheError) -> KernelLevels {
    let path = directory + "/" + levelsFile
    if try FileSystem.kind(of: path) == .absent { return KernelLevels(text: "") }
    let bytes = try FileSystem.read(path, limit: 4096)
    return KernelLevels(text: String(decoding: bytes, as: UTF8.self))
  }

  /// A record's place in a table: image by image, in each the views in the unit's order.
  private static func place(
    _ image: Int, _ view: View, _ images: [Int], _ views: [View: Int]
  ) -> Int? {
    guard let view = views[view] else { return nil }
    var (low, high) = (0, images.count)
    while low < high {
      let middle = (low + high) / 2
      if images[middle] < image { low = middle + 1 } else { high = middle }
    }
    guard low < images.count, images[low] == image else { return nil }
    return low * views.count + view
  }

  /// The bytes kept of a view, the tap's shape and the file they came from.
  func entry(_ key: RecordKey, tap: String?) throws(CacheError) -> (
    bytes: [UInt8], shape: TapShape?, path: String
  ) {
    guard let table = tables.first(where: { $0.shape?.tap == tap }),
      let kind = ViewKind(rawValue: key.kindByte),
      let place = Self.place(
        key.image, View(kind: kind, round: key.round), unit.images, table.views)
    else { preconditionFailure("image \(key.image) is not wanted at \(tap ?? "the logits")") }
    return (try table.file.entry(place), table.shape, table.file.path)
  }
}
