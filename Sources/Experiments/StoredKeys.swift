package import Datasets
import TeacherCache
import Tensors

/// The views whose logits a cache holds, unit by unit, image by image, or a sample of them: one drawn
/// from each of equal stretches, so that it holds all images and views alike.
///
/// Each is computed when it is asked for: a cache may hold far more than fit in memory.
package struct StoredKeys: RandomAccessCollection, Sendable {
  private struct Unit {
    /// Place of its first view among those of all units.
    let first: Int
    let images: [Int]
    let views: [View]
  }

  private let units: [Unit]
  private let total: Int
  package let count: Int

  /// - Parameter limit: how many at most; all without.
  init(_ entries: [UnitEntry], limit: Int?) {
    var total = 0
    units = entries.filter { $0.records > 0 }.map { entry in
      defer { total += entry.records }
      return Unit(first: total, images: entry.images.numbers, views: entry.logits.views)
    }
    self.total = total
    count = Swift.min(limit ?? total, total)
  }

  package var startIndex: Int { 0 }
  package var endIndex: Int { count }

  package subscript(index: Int) -> ViewKey {
    precondition(indices.contains(index), "key \(index) of \(count)")
    let place = place(of: index)
    var (low, high) = (0, units.count - 1)
    while low < high {
      let middle = (low + high + 1) / 2
      if units[middle].first <= place { low = middle } else { high = middle - 1 }
    }
    let unit = units[low]
    let (image, view) = (place - unit.first).quotientAndRemainder(dividingBy: unit.views.count)
    return ViewKey(image: unit.images[image], view: unit.views[view])
  }

  /// Place of the i-th key among all views. Drawn, since at the beginning of each stretch one view could
  /// stand for all: stretches are often whole images.
  private func place(of index: Int) -> Int {
    guard count < total else { return index }
    // The i-th of `count` stretches begins at i·total/count.
    let start = count.dividingFullWidth(index.multipliedFullWidth(by: total)).quotient
    let end = count.dividingFullWidth((index + 1).multipliedFullWidth(by: total)).quotient
    var random = RandomStream(
      key: 0,
      stream: (UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32), 0))
    return start + random.below(Swift.min(end - start, 1 << 32))
  }
}
