import Glibc

/// A part of the original training set.
package enum Subset: Sendable, Equatable {
  /// Every image.
  case all
  /// Long-tailed: class k of C keeps int(n_max·ratio^(−k/(C−1))) images.
  case exponential(Double)
  /// The first half of the classes keeps n_max images, the second int(n_max/ratio).
  case step(Double)
  /// The image ids in a file, one a line.
  case list(String)

  /// The subset of a text: `all`, `exp:RATIO`, `step:RATIO` or `list:FILE`.
  ///
  /// Throws `.usage`, also for a ratio that is no finite number from 1 on.
  package init(parsing text: String) throws(DatasetError) {
    if text == "all" {
      self = .all
      return
    }
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      .map(String.init)
    let value = parts.count == 2 ? parts[1] : ""
    switch parts[0] {
    case "exp": self = .exponential(try Self.ratio(value, in: text))
    case "step": self = .step(try Self.ratio(value, in: text))
    case "list" where !value.isEmpty:
      // It is written into config.yaml, where a line ends at its end.
      guard value.unicodeScalars.allSatisfy({ $0.value >= 32 }) else {
        throw DatasetError(
          .usage,
          "the name of a list of images has a line break or another control character; rename the file"
        )
      }
      self = .list(value)
    default:
      throw DatasetError(
        .usage,
        "\"\(text)\" is not a subset; write all, exp:RATIO, step:RATIO or list:FILE, "
          + "for example exp:100")
    }
  }

  private static func ratio(_ text: String, in whole: String) throws(DatasetError) -> Double {
    guard text.first?.isNumber == true, let ratio = Double(text), ratio.isFinite, ratio >= 1 else {
      throw DatasetError(
        .usage, "\"\(whole)\": the imbalance ratio must be a number from 1 on, for example exp:100")
    }
    return ratio
  }

  /// The ids of the subset's images, ascending.
  ///
  /// As in the reference (LDAM-DRW's and BKD's `imbalance_cifar.py`): n_max is the size of the
  /// smallest class; NumPy's legacy generator, seeded 0, shuffles the whole list of every class in
  /// label order, and the first n_k stay. So a larger ratio's images are among a smaller one's.
  ///
  /// - Parameter labels: those of the whole original training set.
  /// - Throws: `.usage` for a ratio that leaves a class without images; for lists `.missingFile`,
  ///   `.permission` and `.malformed`.
  package func indices(labels: [Int], classes: Int) throws(DatasetError) -> [Int] {
    switch self {
    case .all:
      return Array(labels.indices)
    case .list(let file):
      return try readImageList(file, images: labels.count)
    case .exponential, .step:
      var members = [[Int]](repeating: [], count: classes)
      for (image, label) in labels.enumerated() { members[label].append(image) }
      let counts = try counts(classSizes: members.map(\.count))
      var generator = MT19937(seed: 0)
      var kept: [Int] = []
      for label in 0..<classes {
        generator.shuffle(&members[label])
        kept += members[label].prefix(counts[label])
      }
      return kept.sorted()
    }
  }

  /// The long-tailed subset that these images are, if its ratio is one that is often used.
  ///
  /// - Parameters:
  ///   - images: ids, ascending.
  ///   - labels: as for ``indices(labels:classes:)``.
  package static func usual(_ images: [Int], labels: [Int], classes: Int) -> Subset? {
    let ratios: [Double] = [100, 50, 10, 20, 200]
    return (ratios.map(Subset.exponential) + ratios.map(Subset.step)).first { subset in
      (try? subset.indices(labels: labels, classes: classes)) == images
    }
  }

  /// Images that every class keeps.
  private func counts(classSizes: [Int]) throws(DatasetError) -> [Int] {
    let (classes, largest) = (classSizes.count, Double(classSizes.min() ?? 0))
    let counts = (0..<classes).map { k -> Int in
      switch self {
      case .exponential(let ratio):
        Int(largest * pow(1 / ratio, Double(k) / Double(max(1, classes - 1))))
      case .step(let ratio): k < classes / 2 ? Int(largest) : Int(largest * (1 / ratio))
      case .all, .list: classSizes[k]
      }
    }
    if let empty = counts.firstIndex(of: 0) {
      throw DatasetError(
        .usage,
        "\(self) leaves no image of class \(empty): every class begins with "
          + "\(Int(largest)), the size of the smallest; take a smaller ratio")
    }
    return counts
  }
}

extension Subset: CustomStringConvertible {
  /// The subset as it is written, `exp:100`.
  package var description: String {
    switch self {
    case .all: "all"
    case .exponential(let ratio): "exp:\(Self.short(ratio))"
    case .step(let ratio): "step:\(Self.short(ratio))"
    case .list(let file): "list:\(file)"
    }
  }

  private static func short(_ ratio: Double) -> String {
    Int(exactly: ratio).map(String.init) ?? String(ratio)
  }
}
