package import Datasets

/// What a request still lacks in a cache, found without changing anything.
package struct CachePlan: Sendable {
  /// nil where there is no cache yet.
  package let manifest: CacheManifest?
  package let work: [WorkUnit]

  /// Reads the manifest at `directory`, if there is one, and plans what is missing as
  /// `CacheWriter.missing` does. Units that were begun but not sealed count as missing.
  ///
  /// - Throws: `.mismatch` where the cache was made from something else; `.lostUnit` as
  ///   `CacheWriter.missing` does.
  package init(
    _ directory: String, identity: CacheIdentity, images: [Int], views: [View], taps: [TapShape],
    featureViews: [View]
  ) throws(CacheError) {
    var lost: [UnitEntry] = []
    if try FileSystem.kind(of: directory + "/" + CacheManifest.fileName) == .absent {
      manifest = nil
    } else {
      let manifest = try CacheManifest.read(from: directory)
      try identity.require(manifest.identity)
      (self.manifest, lost) = try manifest.withoutLost(in: directory)
    }
    work = try Self.work(
      identity, manifest?.units ?? [], lost: lost, in: directory, images: images, views: views,
      taps: taps, featureViews: featureViews)
  }

  /// What the cache holds once the work is done.
  package func contents(in directory: String) -> CacheContents {
    CacheContents(manifest, adding: work, in: directory)
  }

  /// (image, view) pairs that the teacher must be evaluated on.
  package var views: Int { work.reduce(0) { $0 + $1.images.count * $1.requests.count } }

  /// What `units` lack, cut into units; it must bring back all of the `lost` ones.
  static func work(
    _ identity: CacheIdentity, _ units: [UnitEntry], lost: [UnitEntry], in directory: String,
    images: [Int], views: [View], taps: [TapShape], featureViews: [View]
  ) throws(CacheError) -> [WorkUnit] {
    for tap in taps {
      precondition(RecordTable.isTapName(tap.tap), "\(tap.tap) is no name of a tap")
    }
    try (units + lost).require(taps)
    let work = UnitPlan(
      identity: identity, units: units, views: views, taps: taps, featureViews: featureViews
    ).missing(images)
    try (units + work.map(UnitEntry.init(planned:))).require(lost, in: directory)
    return work
  }
}

extension [UnitEntry] {
  /// Fails with `.lostUnit` unless these hold all that `lost` units of the cache at `directory` held.
  func require(_ lost: [UnitEntry], in directory: String) throws(CacheError) {
    for entry in lost where !holdAll(of: entry) {
      throw .lostUnit(path: directory, entry)
    }
  }

  /// Whether these hold all that another unit holds, or held.
  func holdAll(of entry: UnitEntry) -> Bool { lacking(of: entry).isEmpty }

  /// What another unit holds, or held, and these do not, in units of this cache.
  func lacking(of entry: UnitEntry) -> [WorkUnit] {
    UnitPlan(entry, units: self).missing(entry.images.numbers)
  }

  /// Fails with `.mismatch` where one of these taps has another shape here.
  func require(_ taps: [TapShape]) throws(CacheError) {
    let shapes = Dictionary(
      flatMap(\.features).map { ($0.shape.tap, $0.shape) }, uniquingKeysWith: { first, _ in first })
    let text = { (shape: TapShape) in "\(shape.height)×\(shape.width)×\(shape.channels)" }
    for tap in taps {
      guard let found = shapes[tap.tap], found != tap else { continue }
      throw .mismatch(
        field: "shape of tap \(tap.tap)", expected: text(tap), found: text(found))
    }
  }
}

extension CacheReader {
  /// Fails with `.mismatch` unless the cache was made of such images, with `.corrupt` where it names
  /// images or crops that they do not have.
  ///
  /// - Parameters:
  ///   - count: how many images there are.
  ///   - hash: of their content.
  package func require(_ info: DatasetInfo, count: Int, hash: String) throws(CacheError) {
    try identity.require(info, hash: hash)
    for unit in manifest.units {
      let last = unit.images.ranges.last?.upperBound ?? 0
      let crops = ([unit.logits] + unit.features.map(\.views)).compactMap {
        $0.kinds[.crop]?.ranges.last?.upperBound
      }
      guard last < count, crops.allSatisfy({ $0 < info.weakViews }) else {
        throw .corrupt(
          path: directory + "/" + CacheManifest.fileName,
          reason: "\(unit.path) holds \(unit.held), of \(count) images with \(info.weakViews) crops"
        )
      }
    }
  }
}

extension CacheIdentity {
  /// Fails with `.mismatch` unless the cache was made of such images.
  ///
  /// - Parameter hash: of the training set's content.
  package func require(_ images: DatasetInfo, hash: String) throws(CacheError) {
    let fields: [(String, expected: String, found: String)] = [
      ("dataset", images.name.rawValue, dataset), ("datasetHash", hash, datasetHash),
      ("classes", "\(images.classes)", "\(classes)"),
      ("height", "\(images.height)", "\(height)"), ("width", "\(images.width)", "\(width)"),
    ]
    for (field, expected, found) in fields where expected != found {
      throw .mismatch(field: field, expected: expected, found: found)
    }
  }

  /// Fails with `.unlike` naming the first field in which the cache at `path` differs from this, that
  /// at `other`.
  func require(_ found: CacheIdentity, of path: String, with other: String) throws(CacheError) {
    if let (field, expected, found) = firstDifference(from: found) {
      throw .unlike(path: path, other: other, field: field, found: found, expected: expected)
    }
  }

  /// Fails with `.mismatch` naming the first field in which `found` differs.
  func require(_ found: CacheIdentity) throws(CacheError) {
    if let (field, expected, found) = firstDifference(from: found) {
      throw .mismatch(field: field, expected: expected, found: found)
    }
  }
}
