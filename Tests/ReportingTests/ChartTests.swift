import Testing

@testable import Reporting

struct ChartTests {
  private static func texts(
    _ points: [(x: Double, y: Double)], _ anchor: String, logarithmic: Bool = false
  ) throws -> [String] {
    let chart = LineChart(
      title: "Curve",
      series: [
        LineChart.Series(
          name: "a", color: 0, points: points.map { LineChart.Point(x: $0.x, y: $0.y) })
      ],
      isLogarithmic: logarithmic)
    let pattern = try Regex("text-anchor=\"\(anchor)\">([^<]*)<", as: (Substring, Substring).self)
    return chart.markup.text.matches(of: pattern).map { String($0.output.1) }
  }

  /// Numbers that differ are marked with texts that differ, however near they lie.
  @Test(arguments: [
    ([72.1, 72.18], ["72.10", "72.12", "72.14", "72.16", "72.18"]),
    ([0, 1], ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    ([-1, 0.5], ["−1.0", "−0.5", "0", "0.5"]),
    ([0, 4000], ["0", "1,000", "2,000", "3,000", "4,000"]),
    ([1000, 1000.4], ["1000.0", "1000.1", "1000.2", "1000.3", "1000.4"]),
    ([0, 4e-5], ["0", "1e-5", "2e-5", "3e-5", "4e-5"]),
    ([0, 1e-5], ["0", "2e-6", "4e-6", "6e-6", "8e-6", "1e-5"]),
    ([1.05e-6, 1.054e-6], ["1.05e-6", "1.051e-6", "1.052e-6", "1.053e-6", "1.054e-6"]),
  ])
  func ticksHaveTheDigitsOfTheirStep(values: [Double], texts: [String]) throws {
    let points = values.enumerated().map { (x: Double($0.offset), y: $0.element) }
    #expect(try Self.texts(points, "end") == texts)
  }

  @Test func powersOfTenAreMarkedOnALogarithmicAxis() throws {
    let points = [(x: 1.0, y: 0.0001), (x: 2.0, y: 1.0)]
    #expect(
      try Self.texts(points, "end", logarithmic: true) == ["1e-4", "0.001", "0.01", "0.1", "1"])
  }

  @Test(arguments: [
    ([240], ["240"]), ([237], ["237"]), ([1], ["1"]), ([1, 2], ["1", "2"]),
    ([1, 10], ["2", "4", "6", "8", "10"]), ([1e18], ["1e+18"]),
  ])
  func onlyEpochsThatThereAreAreMarked(epochs: [Double], texts: [String]) throws {
    #expect(try Self.texts(epochs.map { (x: $0, y: 1) }, "middle") == texts)
  }

  /// The longest number keeps clear of the picture's edge; 6.5 is about the width of a digit.
  @Test func longNumbersHaveRoom() throws {
    let chart = LineChart(
      title: "Curve",
      series: [
        LineChart.Series(
          name: "a", color: 0,
          points: [LineChart.Point(x: 1, y: 0.6931471), LineChart.Point(x: 2, y: 0.6931479)])
      ])
    let marks = chart.markup.text.matches(of: /<text x="([0-9.]+)"[^>]*"end">([^<]*)</)
    #expect(!marks.isEmpty)
    for mark in marks { #expect(try #require(Double(mark.1)) >= 6.5 * Double(mark.2.count)) }
  }
}
