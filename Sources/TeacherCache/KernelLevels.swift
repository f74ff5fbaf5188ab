/// What computed the numbers of a unit: one name, more where another machine went on with it.
///
/// The same bits are promised within one level only, so a unit says all that had a part in it.
struct KernelLevels: Equatable {
  private static let separator = " + "

  private(set) var names: Set<String>

  /// Those of one name, or of a text that `text` made.
  init(text: String) {
    names = Set(text.split(separator: Self.separator).map(String.init))
  }

  var text: String { names.sorted().joined(separator: Self.separator) }

  func contains(_ other: Self) -> Bool { names.isSuperset(of: other.names) }

  mutating func formUnion(_ other: Self) { names.formUnion(other.names) }
}
