/// A set of small numbers as sorted ranges, written `0-4095,5000,6001-6002`.
package struct IndexRanges: Equatable, Sendable, Codable, CustomStringConvertible {
  /// Ascending, not touching.
  package private(set) var ranges: [ClosedRange<Int>]
  /// Above every image id and round: a dense table of all images stays small.
  static let limit = 1 << 24

  package init() { ranges = [] }

  /// The set of `numbers`, in any order.
  package init(_ numbers: some Sequence<Int>) {
    self.init()
    for number in numbers.sorted() { append(number...number) }
  }

  /// The set of a text; nil unless it is written exactly as `description` writes it.
  package init?(parsing text: String) {
    self.init()
    for part in text.split(separator: ",", omittingEmptySubsequences: false) where text != "" {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      guard (1...2).contains(ends.count), let first = ends[0], let last = ends[ends.count - 1],
        first >= 0, first <= last, last < Self.limit
      else { return nil }
      append(first...last)
    }
    if description != text { return nil }
  }

  private mutating func append(_ range: ClosedRange<Int>) {
    if let last = ranges.last, range.lowerBound <= last.upperBound + 1 {
      ranges[ranges.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
    } else {
      ranges.append(range)
    }
  }

  /// How many numbers there are.
  package var count: Int { ranges.reduce(0) { $0 + $1.count } }

  /// All of them, ascending.
  package var numbers: [Int] { ranges.flatMap(Array.init) }

  /// Whether a number is among them, by binary search over the ranges.
  package func contains(_ number: Int) -> Bool {
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < number { low = middle + 1 } else { high = middle }
    }
    return low < ranges.count && ranges[low].contains(number)
  }

  /// Whether a number is in both.
  func intersects(_ other: IndexRanges) -> Bool {
    var (left, right) = (ranges[...], other.ranges[...])
    while let first = left.first, let second = right.first {
      if first.overlaps(second) { return true }
      if first.upperBound < second.upperBound { left.removeFirst() } else { right.removeFirst() }
    }
    return false
  }

  package var description: String {
    ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      .joined(separator: ",")
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let parsed = IndexRanges(parsing: try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "not ascending ranges such as 0-4095,5000")
    }
    self = parsed
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
