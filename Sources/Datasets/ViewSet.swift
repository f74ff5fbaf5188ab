/// A set of views that every image of a subset has, as in `--views weak:16,strong:16,plain`.
package struct ViewSet: Sendable, Equatable {
  /// Whether the image itself belongs to the set.
  package var plain: Bool
  /// Weak rounds 0..<weak.
  package var weak: Int
  /// Strong rounds 0..<strong.
  package var strong: Int
  /// Whether every distinct weak view belongs to the set (`weak:all`).
  package var crops: Bool

  /// A set of these views; by default the empty one.
  package init(plain: Bool = false, weak: Int = 0, strong: Int = 0, crops: Bool = false) {
    precondition(
      (0...View.roundLimit).contains(weak) && (0...View.roundLimit).contains(strong),
      "a view set has 0…\(View.roundLimit) rounds of a kind, not \(weak) weak and \(strong) strong")
    self.plain = plain
    self.weak = weak
    self.strong = strong
    self.crops = crops
  }

  /// The set of a list such as `weak:16,strong:16,plain,weak:all`.
  ///
  /// Throws `.usage` for an empty list, unknown or repeated kinds, and numbers of rounds that are
  /// not 1…1,000,000.
  package init(parsing text: String) throws(DatasetError) {
    self.init()
    var seen: Set<String> = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let item = String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
      let kind = try add(item)
      guard seen.insert(kind).inserted else {
        throw DatasetError(.usage, "the views \"\(text)\" name \(kind) twice; name it once")
      }
    }
  }

  /// Adds what one item of a list names and says what that was.
  private mutating func add(_ item: String) throws(DatasetError) -> String {
    switch item {
    case "plain":
      plain = true
      return item
    case "weak:all":
      crops = true
      return item
    case "strong:all":
      throw DatasetError(
        .usage, "strong:all: there are too many strong views to list; write strong:ROUNDS")
    default:
      break
    }
    let parts = item.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0] == "weak" || parts[0] == "strong" else {
      throw DatasetError(
        .usage,
        "\"\(item)\" names no views; write a list of plain, weak:ROUNDS, strong:ROUNDS "
          + "and weak:all, for example weak:16,strong:16")
    }
    guard let rounds = decimal(parts[1]), (1...View.roundLimit).contains(rounds) else {
      throw DatasetError(
        .usage, "\"\(item)\": the number of rounds must be 1…\(View.roundLimit)")
    }
    if parts[0] == "weak" { weak = rounds } else { strong = rounds }
    return String(parts[0])
  }

  /// Whether no view belongs to the set.
  package var isEmpty: Bool { self == ViewSet() }

  /// Views per image of this data set.
  package func count(in info: DatasetInfo) -> Int {
    (plain ? 1 : 0) + weak + strong + (crops ? info.weakViews : 0)
  }

  /// The views in their stable order: plain, weak, strong, crop, each by number.
  package func views(in info: DatasetInfo) -> [View] {
    var views: [View] = plain ? [.plain] : []
    views.reserveCapacity(count(in: info))
    for round in 0..<weak { views.append(.weak(round)) }
    for round in 0..<strong { views.append(.strong(round)) }
    for number in 0..<(crops ? info.weakViews : 0) { views.append(.crop(number)) }
    return views
  }

  /// Whether the view belongs to the set. A weak round does not count as its crop here; see
  /// `ViewChoice.weakCrop`.
  package func contains(_ view: View) -> Bool {
    switch view {
    case .plain: plain
    case .weak(let round): round < weak
    case .strong(let round): round < strong
    case .crop: crops
    }
  }
}

extension ViewSet: CustomStringConvertible {
  /// The set as a list in stable order, `plain,weak:16,strong:16,weak:all`; empty for no views.
  package var description: String {
    var items: [String] = plain ? ["plain"] : []
    if weak > 0 { items.append("weak:\(weak)") }
    if strong > 0 { items.append("strong:\(strong)") }
    if crops { items.append("weak:all") }
    return items.joined(separator: ",")
  }
}
