/// The kinds of views, by the byte that stands for them in keys.
package enum ViewKind: UInt8, CaseIterable, Sendable {
  case plain, weak, strong, crop

  package var name: String { String(describing: self) }

  package init?(name: some StringProtocol) {
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
