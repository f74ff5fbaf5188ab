internal import Datasets

/// Figures about a whole cache, from its manifest and its units' directories.
package struct CacheInfo: Sendable {
  package let cacheID: String
  package let fingerprint: String
  package let contentHash: String
  /// Images of which anything is stored.
  package let images: Int
  /// How many numbers of each kind are stored, by the kind's name; kinds without any are absent.
  package let views: [String: Int]
  /// (image, view) logits.
  package let records: Int
  /// (image, view, tap) features.
  package let featureRecords: Int
  /// Units that were begun and are not sealed; what they hold cannot be read yet.
  package let unfinishedUnits: Int
  /// Of all units' files.
  package let bytes: Int
  /// File bytes for one view's logits, everything included; 0 without logits.
  package let logitBytesPerView: Double
  /// How many times smaller that is than the raw fp32 logits.
  package let logitRatio: Double
  /// The most that the gradient of T²·KL can be off by in L1, at every T: Δ/2; without a step the
  /// largest error of a logit, of which it is as much.
  package let logitErrorBound: Double
  /// Largest |decoded − z| when they were written.
  package let largestLogitError: Double
  /// What coding did to the gradients of the views that were measured.
  package let codingError: CodingError
  /// Kernel levels of the units, sorted; equal content is promised for one level only.
  package let kernelLevels: [String]
}

extension CacheReader {
  /// The content of all units: the same however the work was cut, interrupted or merged.
  package var contentHash: String {
    manifest.units.reduce(ContentSum()) { sum, unit in
      sum + (ContentSum(unit.content) ?? ContentSum())
    }.contentHash
  }

  package var info: CacheInfo {
    let records = manifest.units.reduce(0) { $0 + $1.records }
    let logitBytes = units.reduce(0) { $0 + $1.logitBytes }
    let largestError = manifest.units.map(\.logitError).max() ?? 0
    let perView = records == 0 ? 0 : Double(logitBytes) / Double(records)
    var kinds: [String: Set<Int>] = [:]
    for unit in manifest.units {
      for views in [unit.logits] + unit.features.map(\.views) {
        for (kind, rounds) in views.kinds {
          kinds[kind.name, default: []].formUnion(rounds.numbers)
        }
      }
    }
    return CacheInfo(
      cacheID: identity.cacheID, fingerprint: manifest.fingerprint, contentHash: contentHash,
      images: images.count, views: kinds.mapValues(\.count), records: records,
      featureRecords: manifest.units.reduce(0) { $0 + $1.featureRecords },
      unfinishedUnits: UnitName.unfinished(
        in: directory, listed: Set(manifest.units.map(\.path))),
      bytes: manifest.units.reduce(0) { $0 + $1.bytes }, logitBytesPerView: perView,
      logitRatio: perView == 0 ? 0 : Double(identity.classes * 4) / perView,
      logitErrorBound: identity.logits.step.map { $0 / 2 } ?? largestError,
      largestLogitError: largestError,
      codingError: manifest.units.compactMap(\.codingError).reduce(CodingError(), +),
      kernelLevels: Set(
        manifest.units.flatMap { KernelLevels(text: $0.kernelLevel).names }
      ).sorted())
  }
}
