package import Datasets
package import TeacherCache

extension CacheReader {
  /// The data set that the cache was made of.
  ///
  /// - Throws: `CacheError.version` for one that this program does not know.
  var datasetInfo: DatasetInfo {
    get throws {
      guard let name = DatasetName(rawValue: identity.dataset) else {
        throw CacheError.version(
          path: directory, found: "for the data set \(identity.dataset)",
          expected: "those for \(DatasetName.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      return name.info
    }
  }

  /// As ``StoredOutputs/storedKey(_:tap:info:)``, of the cache's own data set.
  ///
  /// - Throws: `DatasetError` for a crop that images of this data set do not have.
  package func storedKey(_ key: ViewKey, tap: String? = nil) throws -> ViewKey {
    let info = try datasetInfo
    try key.view.check(in: info)
    return storedKey(key, tap: tap, info: info)
  }

  /// The taps whose features of a view are stored, under whichever key.
  package func taps(of key: ViewKey) throws -> [TapShape] {
    try contents.taps.filter { holds(try storedKey(key, tap: $0.tap), tap: $0.tap) }
  }

  /// Views whose logits are stored, unit by unit, image by image; at most `limit` of them, from all
  /// images and views alike.
  package func storedKeys(limit: Int? = nil) -> StoredKeys {
    StoredKeys(manifest.units, limit: limit)
  }

  /// How often the teacher was right about the stored views: percent by kind of view.
  package func teacherAccuracy(limit: Int) throws -> [(kind: String, top1: Double)] {
    var counts: [String: (right: Int, all: Int)] = [:]
    var logits = [Float](repeating: 0, count: identity.classes)
    for key in storedKeys(limit: limit) {
      let label = try logits.withUnsafeMutableBufferPointer { row in
        guard let start = row.baseAddress else { preconditionFailure("no classes") }
        return try readDetails(key, into: start).label
      }
      let best = logits.indices.max { logits[$0] < logits[$1] }
      counts[key.view.kind.name, default: (0, 0)].all += 1
      if best == label { counts[key.view.kind.name, default: (0, 0)].right += 1 }
    }
    return counts.sorted { $0.key < $1.key }.map {
      ($0.key, 100 * Double($0.value.right) / Double($0.value.all))
    }
  }
}
