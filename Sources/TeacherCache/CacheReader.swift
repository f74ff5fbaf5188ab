package import Datasets
import Foundation

/// What a cache holds about one view of an image.
package struct CachedView: Sendable {
  package let label: Int
  package let pixelHash: UInt64
  package let logits: [Float]
  /// Max softmax at temperature 1: as the teacher gave it, to 1/4096 or better.
  package let confidence: Float
}

/// A cache open for reading, by any number of threads at once.
///
/// Opening reads the manifest and each unit's directory of records; it creates nothing and needs
/// no write permission. Units sealed later are seen by a new reader.
package final class CacheReader: Sendable {
  package let directory: String
  package let manifest: CacheManifest
  let units: [UnitReader]
  /// What is stored, without the values.
  package let contents: CacheContents
  private let codec: LogitCodec
  private let classes: Int
  private let buffers = ReadBufferPool()

  /// Opens the cache; `ordered` reads ahead, for going through it from front to back.
  package static func open(
    _ directory: String, ordered: Bool = false
  ) throws(CacheError) -> CacheReader {
    try CacheReader(directory, CacheManifest.read(from: directory), ordered)
  }

  /// Opens what a writer of the cache has found or sealed; the units of an `earlier` reader stay open.
  static func open(
    _ writer: CacheWriter, behind earlier: CacheReader? = nil
  ) throws(CacheError) -> CacheReader {
    try CacheReader(writer.directory, writer.manifest, false, open: earlier?.units ?? [])
  }

  private init(
    _ directory: String, _ manifest: CacheManifest, _ ordered: Bool, open: [UnitReader] = []
  ) throws(CacheError) {
    self.manifest = manifest
    self.directory = directory
    var units: [UnitReader] = []
    for entry in manifest.units {
      if let unit = open.first(where: { $0.entry.path == entry.path && $0.entry == entry }) {
        units.append(unit)
      } else {
        units.append(try UnitReader(entry, in: directory, ordered: ordered))
      }
    }
    self.units = units
    contents = CacheContents(manifest.units, in: directory)
    codec = manifest.identity.logits
    classes = manifest.identity.classes
  }

  package var identity: CacheIdentity { manifest.identity }

  /// Image ids of which anything is stored, ascending.
  package var images: [Int] { contents.images }

  package func holds(_ key: ViewKey, tap: String? = nil) -> Bool { contents.holds(key, tap: tap) }

  /// Reads the logits of a view into `classes` floats; gives the hash of the pixels behind them.
  ///
  /// The record's checksum was compared first. Nothing is allocated once buffers are warm.
  @discardableResult
  package func read(
    _ key: ViewKey, into logits: UnsafeMutablePointer<Float>
  ) throws(CacheError) -> UInt64 {
    try readDetails(key, into: logits).pixelHash
  }

  /// Everything about one view of an image.
  package func read(image: Int, view: View) throws(CacheError) -> CachedView {
    let key = ViewKey(image: image, view: view)
    var logits = [Float](repeating: 0, count: classes)
    let (hash, label, confidence) = try readDetails(key, into: &logits)
    return CachedView(
      label: label, pixelHash: hash, logits: logits,
      confidence: confidence ?? logits.withUnsafeBufferPointer(LogitQuantizer.confidence(of:)))
  }

  /// As `read(_:into:)`, with the image's label and the stored confidence, which is nil where the
  /// codec stores none because logits give it.
  package func readDetails(
    _ key: ViewKey, into logits: UnsafeMutablePointer<Float>
  ) throws(CacheError) -> (pixelHash: UInt64, label: Int, confidence: Float?) {
    let unit = try unit(for: key)
    let buffers = buffers.borrow()
    defer { self.buffers.giveBack(buffers) }
    let index = try open(key, in: unit, buffers)
    do { try buffers.block.logits(index, into: logits) } catch {
      throw unit.corrupt(RecordKey(image: key.image, view: key.view), error)
    }
    let block = buffers.block
    return (block.pixelHash(index), block.header?.label ?? 0, block.confidence(index))
  }

  /// Reads the features of a view at a tap, H×W×C, into as many floats; gives the pixels' hash.
  @discardableResult
  package func readFeatures(
    _ key: ViewKey, tap: String, into values: UnsafeMutableBufferPointer<Float>
  ) throws(CacheError) -> UInt64 {
    guard let unit = unit(holding: key, tap: tap) else {
      throw .missing(
        what: "features of \(tap) for image \(key.image), \(key.view)", path: directory)
    }
    let recordKey = RecordKey(image: key.image, view: key.view)
    let (bytes, shape) = try unit.feature(recordKey, tap: tap)
    precondition(
      values.count == shape.count, "\(values.count) floats for \(shape.count) features of \(tap)")
    let buffers = buffers.borrow()
    defer { self.buffers.giveBack(buffers) }
    do {
      return try buffers.features.decode(
        bytes, key: recordKey, shape: shape, precision: identity.featurePrecision, into: values)
    } catch { throw unit.corrupt(recordKey, error) }
  }

  /// The shape of a tap's features, or nil where none are stored.
  package func shape(of tap: String) -> TapShape? {
    manifest.units.lazy.flatMap(\.features).first { $0.shape.tap == tap }?.shape
  }

  /// The stored block that holds `key`, opened in `buffers`; gives the view's place in it.
  @inline(__always)
  private func open(
    _ key: ViewKey, in unit: UnitReader, _ buffers: ReadBuffers
  ) throws(CacheError) -> Int {
    let wanted = RecordKey(image: key.image, view: key.view)
    let (first, bytes) = try unit.block(wanted)
    let block = buffers.block
    if block.address == nil || block.address != bytes.baseAddress || block.header?.key != first {
      do { try block.open(bytes, key: first, codec: codec, classes: classes) } catch {
        throw unit.corrupt(wanted, error)
      }
    }
    let index = wanted.round - first.round
    guard index < block.header?.count ?? 0 else {
      throw unit.corrupt(wanted, MalformedRecord(reason: "its block ends before it"))
    }
    return index
  }

  /// Asks the system for the pages of a record, all at once: reading them would wait for one after
  /// the other, since the map is opened without read-ahead.
  ///
  /// - Returns: whether the system took note; false where the record is missing or damaged.
  @discardableResult
  package func prefetch(_ key: ViewKey, tap: String?) -> Bool {
    let recordKey = RecordKey(image: key.image, view: key.view)
    let bytes: UnsafeRawBufferPointer?
    if let tap {
      bytes = try? unit(holding: key, tap: tap)?.feature(recordKey, tap: tap).bytes
    } else {
      bytes = try? unit(holding: key)?.block(recordKey).bytes
    }
    guard let bytes, let start = bytes.baseAddress else { return false }
    let before = Int(bitPattern: start) % Int(sysconf(Int32(_SC_PAGESIZE)))
    let page = UnsafeMutableRawPointer(mutating: start - before)
    return madvise(page, before + bytes.count, Int32(MADV_WILLNEED)) == 0
  }

  private func unit(for key: ViewKey) throws(CacheError) -> UnitReader {
    guard let unit = unit(holding: key) else {
      throw .missing(what: "logits of image \(key.image), \(key.view)", path: directory)
    }
    return unit
  }

  private func unit(holding key: ViewKey) -> UnitReader? {
    for index in contents.holders[key.image] where units[index].entry.logits.contains(key.view) {
      return units[index]
    }
    return nil
  }

  private func unit(holding key: ViewKey, tap: String) -> UnitReader? {
    for index in contents.holders[key.image] where units[index].entry.hasFeatures(tap, key.view) {
      return units[index]
    }
    return nil
  }
}
