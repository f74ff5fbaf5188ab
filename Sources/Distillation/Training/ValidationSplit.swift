import Tensors

/// Training images without those set aside, and those set aside to choose the best epoch on.
package struct ValidationSplit: Equatable, Sendable {
  /// Original ids, rising.
  package let training: [Int]
  /// Original ids, rising; empty for a fraction of 0.
  package let validation: [Int]

  /// Takes the fraction of each class, rounded to the nearest whole number (halves up), but never
  /// its last image; which ones is a pure function of the seed and of the class's images.
  ///
  /// - Parameters:
  ///   - images: original ids, rising.
  ///   - labels: class of each of them.
  package init(images: [Int], labels: [Int], classes: Int, fraction: Double, seed: UInt64) {
    precondition(images.count == labels.count, "\(labels.count) labels for \(images.count) images")
    var members = Array(repeating: [Int](), count: classes)
    for (image, label) in zip(images, labels) { members[label].append(image) }
    var taken: Set<Int> = []
    for (label, var ids) in members.enumerated() where fraction > 0 && !ids.isEmpty {
      let count = min(
        Int((fraction * Double(ids.count)).rounded(.toNearestOrAwayFromZero)), ids.count - 1)
      // The last word spells "vali": no other stream of this seed has it.
      var random = RandomStream(
        key: seed, stream: (UInt32(truncatingIfNeeded: label), 0, 0x7661_6c69))
      random.shuffle(&ids)
      taken.formUnion(ids.prefix(count))
    }
    training = images.filter { !taken.contains($0) }
    validation = images.filter { taken.contains($0) }
  }
}
