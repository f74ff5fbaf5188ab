/// Curves over epochs, with a legend below.
struct LineChart {
  struct Point: Equatable, Sendable {
    let x: Double
    let y: Double
  }

  struct Series {
    let name: String
    /// Its place among the page's colours.
    let color: Int
    var isDashed = false
    let points: [Point]
  }

  let title: String
  /// Behind the title, such as "%".
  var unit = ""
  let series: [Series]
  var isLogarithmic = false
  var fromZero = false

  private static let (width, height) = (400.0, 230.0)
  private static let (left, right, top, bottom) = (46.0, 12.0, 8.0, 24.0)

  /// Nothing where no series has a point.
  var markup: Markup {
    let drawn = series.filter { !$0.points.isEmpty }
    guard !drawn.isEmpty else { return .none }
    let points = drawn.flatMap(\.points)
    let x = Axis(points.map(\.x), isInteger: true)
    let y = Axis(points.map(\.y), logarithmic: isLogarithmic, fromZero: fromZero)
    let label = "\(title): " + drawn.map { "\($0.name) \(Self.last($0))" }.joined(separator: ", ")
    return """
      <figure class="chart"><figcaption>\(title)\(unit.isEmpty ? "" : ", " + unit)</figcaption>
      <svg viewBox="0 0 400 230" role="img" aria-label="\(label)">
      \(grid(x, y))\(drawn.map { curve($0, x, y) })
      </svg>\(legend(drawn))</figure>

      """
  }

  private static func last(_ series: Series) -> String {
    series.points.last.map { Figure.short($0.y) } ?? ""
  }

  private func place(_ point: Point, _ x: Axis, _ y: Axis) -> (x: Double, y: Double) {
    (
      Self.left + x.position(point.x) * (Self.width - Self.left - Self.right),
      Self.height - Self.bottom - y.position(point.y) * (Self.height - Self.top - Self.bottom)
    )
  }

  private func grid(_ x: Axis, _ y: Axis) -> Markup {
    let horizontal = y.ticks.map { tick -> Markup in
      let v = place(Point(x: x.low, y: tick), x, y).y
      return """
        <path class="grid" d="M\(Svg.number(Self.left)) \(Svg.number(v))H\(Svg.number(Self.width - Self.right))"/>\
        <text x="\(Svg.number(Self.left - 6))" y="\(Svg.number(v + 4))" text-anchor="end">\(Figure.short(tick))</text>

        """
    }
    let vertical = x.ticks.map { tick -> Markup in
      let u = place(Point(x: tick, y: y.low), x, y).x
      return """
        <text x="\(Svg.number(u))" y="\(Svg.number(Self.height - 6))" text-anchor="middle">\(Figure.short(tick))</text>

        """
    }
    return Markup(horizontal + vertical)
  }

  private func curve(_ series: Series, _ x: Axis, _ y: Axis) -> Markup {
    let places = series.points.map { place($0, x, y) }
    let kind = "c\(series.color % Svg.colors)" + (series.isDashed ? " dashed" : "")
    if places.count == 1 {
      return """
        <circle class="dot \(kind)" cx="\(Svg.number(places[0].x))" cy="\(Svg.number(places[0].y))" r="3.5"/>

        """
    }
    let path = places.map { "\(Svg.number($0.x)) \(Svg.number($0.y))" }.joined(separator: "L")
    return "<path class=\"line \(kind)\" d=\"M\(path)\"/>\n"
  }

  private func legend(_ drawn: [Series]) -> Markup {
    Svg.legend(
      drawn.map {
        ("\($0.name)", "line c\($0.color % Svg.colors)" + ($0.isDashed ? " dashed" : ""))
      })
  }
}

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
