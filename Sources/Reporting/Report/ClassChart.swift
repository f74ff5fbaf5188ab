/// Test accuracy of every class, the classes with most training images first, with the shot groups
/// behind.
struct ClassChart {
  struct Result {
    let name: String
    let color: Int
    let dataset: String
    let test: RunEvaluation.Test

    /// Whether both know the same classes from the same number of training images, so that the
    /// classes have one order and belong to one shot group each.
    func isAlike(_ other: Result) -> Bool {
      dataset == other.dataset && test.trainingImages == other.test.trainingImages
    }
  }

  /// At least one; all alike.
  let results: [Result]
  /// Classes in the order of the chart.
  let order: [Int]

  private static let (width, height) = (800.0, 250.0)
  private static let (left, right, top, bottom) = (36.0, 8.0, 22.0, 26.0)
  private var side: Double { (Self.width - Self.left - Self.right) / Double(order.count) }

  init(_ results: [Result]) {
    precondition(!results.isEmpty, "a chart of no runs")
    self.results = results
    order = Self.order(results[0].test)
  }

  /// By falling number of training images, then by label.
  static func order(_ test: RunEvaluation.Test) -> [Int] {
    test.trainingImages.indices.sorted {
      (-test.trainingImages[$0], $0) < (-test.trainingImages[$1], $1)
    }
  }

  var markup: Markup {
    """
    <figure class="chart wide"><figcaption>Test accuracy by class, most frequent first, \
    %</figcaption>
    <div class="scroll"><svg viewBox="0 0 800 250" role="img" aria-label="accuracy by class">
    \(groups)\(grid)\(results.enumerated().map { marks($0.element, number: $0.offset) })\(names)
    </svg></div>\
    \(Svg.legend(results.map { ($0.name, "line thick c\($0.color % Svg.colors)") }))</figure>

    """
  }

  private func y(_ percent: Double) -> Double {
    Self.height - Self.bottom - percent / 100 * (Self.height - Self.top - Self.bottom)
  }

  private var grid: Markup {
    Markup(
      stride(from: 0, through: 100, by: 25).map { percent in
        """
        <path class="grid" d="M36 \(Svg.number(y(Double(percent))))H792"/>\
        <text x="30" y="\(Svg.number(y(Double(percent)) + 4))" text-anchor="end">\(percent)</text>

        """
      })
  }

  /// A band for each shot group that has classes here.
  private var groups: Markup {
    let images = results[0].test.trainingImages
    var start = 0
    var bands: [Markup] = []
    for group in ShotGroup.allCases {
      let count = order.count { ShotGroup(trainingImages: images[$0]) == group }
      guard count > 0 else { continue }
      let (x, width) = (Self.left + Double(start) * side, Double(count) * side)
      // A name that is wider than its band would run into the next.
      let label: Markup =
        width > 60
        ? """
        <text x="\(Svg.number(x + width / 2))" y="15" text-anchor="middle">\
        \(group.rawValue) · \(group.limits)</text>
        """ : .none
      bands.append(
        """
        <rect class="band \(group.rawValue)" x="\(Svg.number(x))" y="22" \
        width="\(Svg.number(width))" height="202"/>\(label)

        """)
      start += count
    }
    return Markup(bands)
  }

  /// Bars for one run; beside each other for a few runs and classes, dots otherwise.
  private func marks(_ result: Result, number: Int) -> Markup {
    let isDotted = results.count > 1 && side / Double(results.count) < 4
    let width = isDotted ? side : side * 0.8 / Double(results.count)
    return Markup(
      order.enumerated().compactMap { place, label -> Markup? in
        let images = result.test.images[label]
        guard images > 0 else { return nil }
        let percent = 100 * Double(result.test.correct[label]) / Double(images)
        let title: Markup = """
          <title>\(Self.name(label, result.test)): \(Figure.fixed(percent, 1)) %\
          \(results.count > 1 ? " (\(result.name))" : ""), \
          \(grouped(result.test.trainingImages[label])) training images</title>
          """
        let x = Self.left + Double(place) * side
        let color = "c\(result.color % Svg.colors)"
        if isDotted {
          return """
            <circle class="dot \(color)" cx="\(Svg.number(x + side / 2))" cy="\(Svg.number(y(percent)))" \
            r="\(Svg.number(min(side / 2, 3.5)))">\(title)</circle>

            """
        }
        return """
          <rect class="bar \(color)" x="\(Svg.number(x + side * 0.1 + Double(number) * width))" \
          y="\(Svg.number(y(percent)))" width="\(Svg.number(width))" \
          height="\(Svg.number(max(y(0) - y(percent), 0.5)))">\(title)</rect>

          """
      })
  }

  /// Below the bars, where there is room for them.
  private var names: Markup {
    guard order.count <= 20 else {
      return "<text x=\"414\" y=\"244\" text-anchor=\"middle\">\(order.count) classes</text>"
    }
    return Markup(
      order.enumerated().map { place, label in
        """
        <text x="\(Svg.number(Self.left + (Double(place) + 0.5) * side))" y="242" \
        text-anchor="middle">\(Self.name(label, results[0].test))</text>

        """
      })
  }

  static func name(_ label: Int, _ test: RunEvaluation.Test) -> String {
    test.classNames.map { $0[label] } ?? "class \(label)"
  }
}
