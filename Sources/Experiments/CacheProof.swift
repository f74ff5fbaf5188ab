import Datasets
import Distillation
import Networks
package import TeacherCache
package import Tensors

/// Checks stored views against the images and, if given, against the teacher itself.
package struct CacheProof {
  private let cache: CacheReader
  private let renderer: ViewRenderer
  private let execution: Execution

  /// What was compared and how far the teacher was off.
  package struct Report: Sendable {
    package internal(set) var viewsReplayed = 0
    /// nil without a teacher.
    package internal(set) var largestDifference: Double?
    package internal(set) var meanDifference: Double?
    /// Whether the teacher is the one that made the cache, as far as the codec can tell.
    package internal(set) var isFaithful = true
  }

  /// - Throws: `CacheError.mismatch` if these are not the images that the cache was made of.
  package init(_ cache: CacheReader, dataPath: String, on execution: Execution) throws {
    self.cache = cache
    self.execution = execution
    renderer = try cache.renderer(dataPath: dataPath)
  }

  /// Renders the views again and compares their pixel hashes with those of their logits and features;
  /// with a teacher file also runs it and compares the logits.
  ///
  /// - Throws: `ReplayMismatch` at the first wrong pixel; `CacheError.mismatch` if the file is
  ///   another teacher.
  package func check(
    _ keys: StoredKeys, teacher path: String?, progress: (Int) -> Void
  ) throws -> Report {
    let teacher = try path.map { try loadTeacher($0) }
    var report = Report()
    var sum = 0.0
    let (classes, batchSize) = (cache.identity.classes, 128)
    var logits = [Float](repeating: 0, count: classes)
    var features = [Float](repeating: 0, count: cache.contents.taps.map(\.count).max() ?? 0)
    for first in stride(from: 0, to: keys.count, by: batchSize) {
      let part = Array(keys[first..<min(first + batchSize, keys.count)])
      let output = try teacher?.run(part, keeping: [])
      let hashes = output?.hashes ?? ViewBatch(keys: part, renderer: renderer, on: execution).hashes
      for (i, key) in part.enumerated() {
        let expected = try logits.withUnsafeMutableBufferPointer { row in
          guard let start = row.baseAddress else { preconditionFailure("no classes") }
          return try cache.read(key, into: start)
        }
        var stored = [expected]
        for shape in cache.contents.taps where cache.holds(key, tap: shape.tap) {
          try features.withUnsafeMutableBufferPointer { all in
            let values = UnsafeMutableBufferPointer(rebasing: all[..<shape.count])
            stored.append(try cache.readFeatures(key, tap: shape.tap, into: values))
          }
        }
        for expected in stored where expected != hashes[i] {
          throw ReplayMismatch(key: key, expected: expected, found: hashes[i])
        }
        guard let output else { continue }
        for c in 0..<classes {
          let difference = abs(Double(logits[c]) - Double(output.logits[i * classes + c]))
          report.largestDifference = max(report.largestDifference ?? 0, difference)
          sum += difference
        }
      }
      report.viewsReplayed += part.count
      progress(report.viewsReplayed)
    }
    report.isFaithful = report.largestDifference ?? 0 <= tolerance
    if teacher != nil { report.meanDifference = sum / Double(max(keys.count * classes, 1)) }
    return report
  }

  private func loadTeacher(_ path: String) throws -> TeacherPass {
    let identity = cache.identity
    let loaded = try LoadedNetwork(
      weights: path, architecture: identity.teacherArchitecture, mean: identity.teacherMean,
      std: identity.teacherStd, info: renderer.info)
    guard loaded.weightHash == identity.teacherWeights else {
      throw CacheError.mismatch(
        field: "teacherWeights", expected: loaded.weightHash, found: identity.teacherWeights)
    }
    return TeacherPass(
      loaded.network, normalization: loaded.normalization, renderer: renderer, on: execution)
  }

  /// How far a faithful teacher may be off: half a step of the codec, or the rounding as it was, and
  /// what another kernel level may change.
  private var tolerance: Double { cache.info.logitErrorBound + 1e-3 }
}

extension CacheReader {
  /// What makes the views again that the teacher saw.
  ///
  /// - Throws: `CacheError.mismatch` if these are not the images that the cache was made of.
  func renderer(dataPath: String) throws -> ViewRenderer {
    let info = try datasetInfo
    let train = try ImageDataset.loadTrain(info.name, from: dataPath)
    try require(info, count: train.count, hash: train.contentHash())
    return ViewRenderer(images: train, info: info, seed: identity.viewSeed)
  }
}
