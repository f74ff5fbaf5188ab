/// Curves over epochs, with a legend below.
struct LineChart {
  struct Point: Equatable, Sendable {
    let x: Double
    let y: Double
  }

  struct Series {
    let name: String
    /// Its place among the page's colours; dashed where those come round again.
    let color: Int
    let points: [Point]

    /// The classes of its line.
    var style: String {
      "c\(color % Svg.colors)" + (color / Svg.colors % 2 == 1 ? " dashed" : "")
    }
  }

  let title: String
  /// Behind the title, such as "%".
  var unit = ""
  let series: [Series]
  var isLogarithmic = false
  var fromZero = false

  /// Nothing where no series has a point.
  var markup: Markup {
    let drawn = series.filter { !$0.points.isEmpty }
    guard !drawn.isEmpty else { return .none }
    let points = drawn.flatMap(\.points)
    let frame = Frame(
      x: Axis(points.map(\.x), isInteger: true),
      y: Axis(points.map(\.y), logarithmic: isLogarithmic, fromZero: fromZero))
    let label = "\(title): " + drawn.map { "\($0.name) \(Self.last($0))" }.joined(separator: ", ")
    return """
      <figure class="chart"><figcaption>\(title)\(unit.isEmpty ? "" : ", " + unit)</figcaption>
      <svg viewBox="0 0 400 230" role="img" aria-label="\(label)">
      \(frame.grid)\(drawn.map { curve($0, frame) })
      </svg>\(legend(drawn))</figure>

      """
  }

  private static func last(_ series: Series) -> String {
    series.points.last.map { Figure.short($0.y) } ?? ""
  }

  private func curve(_ series: Series, _ frame: Frame) -> Markup {
    let places = series.points.map(frame.place)
    if places.count == 1 {
      return """
        <circle class="dot \(series.style)" cx="\(Svg.number(places[0].x))" cy="\(Svg.number(places[0].y))" r="3.5"/>

        """
    }
    let path = places.map { "\(Svg.number($0.x)) \(Svg.number($0.y))" }.joined(separator: "L")
    return "<path class=\"line \(series.style)\" d=\"M\(path)\"/>\n"
  }

  private func legend(_ drawn: [Series]) -> Markup {
    Svg.legend(drawn.map { ($0.name, "line \($0.style)") })
  }

  /// Where numbers lie in the picture, and the marks at its sides.
  private struct Frame {
    let x: Axis
    let y: Axis

    private static let (width, height) = (400.0, 230.0)
    private static let (right, top, bottom) = (12.0, 8.0, 24.0)
    /// Wide enough for the longest mark beside it.
    private let left: Double

    init(x: Axis, y: Axis) {
      (self.x, self.y) = (x, y)
      let longest = y.ticks.map { y.label($0).count }.max() ?? 0
      left = max(46, 8 + 7 * Double(longest))
    }

    func place(_ point: Point) -> (x: Double, y: Double) {
      (
        left + x.position(point.x) * (Self.width - left - Self.right),
        Self.height - Self.bottom - y.position(point.y) * (Self.height - Self.top - Self.bottom)
      )
    }

    var grid: Markup {
      let horizontal = y.ticks.map { tick -> Markup in
        let v = place(Point(x: x.low, y: tick)).y
        return """
          <path class="grid" d="M\(Svg.number(left)) \(Svg.number(v))\
          H\(Svg.number(Self.width - Self.right))"/>\
          <text x="\(Svg.number(left - 6))" y="\(Svg.number(v + 4))" text-anchor="end">\
          \(y.label(tick))</text>

          """
      }
      let vertical = x.ticks.map { tick -> Markup in
        let u = place(Point(x: tick, y: y.low)).x
        return """
          <text x="\(Svg.number(u))" y="\(Svg.number(Self.height - 6))" text-anchor="middle">\
          \(x.label(tick))</text>

          """
      }
      return Markup(horizontal + vertical)
    }
  }
}
