package import Datasets

/// A set of views as ranges of rounds by kind, `["weak": "0-15", "plain": "0"]` in JSON.
package struct ViewRanges: Equatable, Sendable, Codable {
  package let kinds: [ViewKind: IndexRanges]

  package init(_ views: some Sequence<View>) {
    kinds = Dictionary(grouping: views, by: \.kind).mapValues { IndexRanges($0.map(\.round)) }
  }

  package var count: Int { kinds.values.reduce(0) { $0 + $1.count } }

  package func contains(_ view: View) -> Bool { kinds[view.kind]?.contains(view.round) ?? false }

  /// In stable order: plain, weak, strong, crop, each by number.
  package var views: [View] {
    ViewKind.allCases.flatMap { kind in
      (kinds[kind]?.numbers ?? []).map { View(kind: kind, round: $0) }
    }
  }

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    var kinds: [ViewKind: IndexRanges] = [:]
    for (name, rounds) in try container.decode([String: IndexRanges].self) {
      guard let kind = ViewKind(name: name),
        (rounds.ranges.last?.upperBound ?? 0) < (kind == .plain ? 1 : View.roundLimit)
      else {
        throw DecodingError.dataCorruptedError(
          in: container, debugDescription: "no views \(name):\(rounds)")
      }
      kinds[kind] = rounds
    }
    self.kinds = kinds
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(
      Dictionary(uniqueKeysWithValues: kinds.map { ($0.key.name, $0.value.description) }))
  }
}
