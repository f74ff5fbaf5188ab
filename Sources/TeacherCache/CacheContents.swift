package import Datasets

/// Which outputs a list of units holds: those of a cache, or those it will have when planned units
/// are sealed.
package struct CacheContents: Sendable {
  package let directory: String
  package let units: [UnitEntry]
  /// The units' numbers by image.
  let holders: UnitsByImage

  init(_ units: [UnitEntry], in directory: String) {
    self.units = units
    self.directory = directory
    holders = UnitsByImage(units)
  }

  /// What the cache at `directory` will hold once the units of `work` are sealed; nothing is
  /// opened.
  package init(_ manifest: CacheManifest?, adding work: [WorkUnit], in directory: String) {
    self.init((manifest?.units ?? []) + work.map(UnitEntry.init(planned:)), in: directory)
  }

  /// Image ids of which anything is stored, ascending.
  package var images: [Int] { holders.images }

  /// Whether the logits of a view or, with a tap, its features there are stored. A weak round
  /// counts only as itself, not as its crop.
  package func holds(_ key: ViewKey, tap: String? = nil) -> Bool {
    holders[key.image].contains { index in
      tap.map { units[index].hasFeatures($0, key.view) } ?? units[index].logits.contains(key.view)
    }
  }

  /// Fails with `.missing` naming the first image and view whose logits, or the first tap whose
  /// features, are lacking.
  package func require(
    images: [Int], views: [View], taps: [String], featureViews: [View]
  ) throws(CacheError) {
    for image in images {
      for view in views where !holds(ViewKey(image: image, view: view)) {
        throw .missing(what: "logits of image \(image), \(view)", path: directory)
      }
    }
    for tap in taps {
      for image in images {
        for view in featureViews where !holds(ViewKey(image: image, view: view), tap: tap) {
          throw .missing(what: "features of \(tap) for image \(image), \(view)", path: directory)
        }
      }
    }
  }
}
