/// What the pictures of a page share.
enum Svg {
  /// How many colours there are in the style sheet.
  static let colors = 8

  /// A coordinate with at most one decimal.
  static func number(_ value: Double) -> String { Figure.trimmed(asciiFixed(value)) }

  private static func asciiFixed(_ value: Double) -> String {
    Figure.fixed(value, 1).replacing("−", with: "-")
  }

  /// Names beside a short piece of their line.
  static func legend(_ entries: [(name: String, kind: String)]) -> Markup {
    guard entries.count > 1 else { return .none }
    let items = entries.map { entry -> Markup in
      """
      <span class="key"><svg viewBox="0 0 22 10" aria-hidden="true"><path class="\(entry.kind)" \
      d="M1 5H21"/></svg>\(entry.name)</span>

      """
    }
    return "<div class=\"legend\">\(items)</div>"
  }
}
