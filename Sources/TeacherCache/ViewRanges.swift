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

/// The kinds of views, by the byte that stands for them in keys.
package enum ViewKind: UInt8, CaseIterable, Sendable {
  case plain, weak, strong, crop

  package var name: String { String(describing: self) }

  init?(name: String) {
    guard let kind = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = kind
  }
}

extension View {
  /// The kind without the number.
  package var kind: ViewKind {
    switch self {
    case .plain: .plain
    case .weak: .weak
    case .strong: .strong
    case .crop: .crop
    }
  }

  /// The round or crop number; 0 for the plain view.
  package var round: Int {
    switch self {
    case .plain: 0
    case .weak(let number), .strong(let number), .crop(let number): number
    }
  }

  package init(kind: ViewKind, round: Int) {
    switch kind {
    case .plain: self = .plain
    case .weak: self = .weak(round)
    case .strong: self = .strong(round)
    case .crop: self = .crop(round)
    }
  }
}
