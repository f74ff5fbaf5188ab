package import Datasets

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
  /// L1 error of the gradient of T²·KL at every T: Δ/2.
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
      logitErrorBound: identity.logits.gradientErrorBound,
      largestLogitError: manifest.units.map(\.logitError).max() ?? 0,
      codingError: manifest.units.compactMap(\.codingError).reduce(CodingError(), +),
      kernelLevels: Set(
        manifest.units.flatMap { KernelLevels(text: $0.kernelLevel).names }
      ).sorted())
  }

  /// The views whose logits every image of the cache has: rounds count from 0 without a gap;
  /// `crops` says that as many crops as there are anywhere are there for each image.
  package var views: ViewSet {
    let numbers = commonRounds()
    let leading = { (kind: ViewKind) in
      numbers[kind].flatMap { $0.ranges.first { $0.lowerBound == 0 } }.map { $0.upperBound + 1 }
        ?? 0
    }
    let crops = manifest.units.compactMap { $0.logits.kinds[.crop]?.ranges.last?.upperBound }.max()
    return ViewSet(
      plain: leading(.plain) > 0, weak: leading(.weak), strong: leading(.strong),
      crops: crops.map { leading(.crop) == $0 + 1 } ?? false)
  }

  private func commonRounds() -> [ViewKind: IndexRanges] {
    var common: [ViewKind: Set<Int>]?
    for holders in contents.holders.distinct {
      var rounds: [ViewKind: Set<Int>] = [:]
      for index in holders {
        for (kind, ranges) in manifest.units[index].logits.kinds {
          rounds[kind, default: []].formUnion(ranges.numbers)
        }
      }
      common =
        common?.merging(rounds) { $0.intersection($1) }.filter { rounds[$0.key] != nil }
        ?? rounds
    }
    return (common ?? [:]).mapValues { IndexRanges($0) }
  }
}
