/// Accuracy over confidence, bin by bin: bars on the diagonal mean that a confidence can be believed.
struct ReliabilityDiagram {
  let title: String
  let calibration: Calibration
  let color: Int

  private static let (left, top, side) = (34.0, 8.0, 200.0)

  var markup: Markup {
    guard let error = calibration.expectedError, let mean = calibration.meanConfidence else {
      return .none
    }
    let count = calibration.counts.count
    let most = max(calibration.counts.max() ?? 1, 1)
    let width = Self.side / Double(count)
    let bars = (0..<count).filter { calibration.counts[$0] > 0 }.map { bin -> Markup in
      let accuracy = Double(calibration.correct[bin]) / Double(calibration.counts[bin])
      let height = accuracy * Self.side
      let share = Double(calibration.counts[bin]) / Double(most)
      let (low, high) = (100 * bin / count, 100 * (bin + 1) / count)
      // Bins with few answers are pale.
      return """
        <rect class="bar c\(color % Svg.colors)" x="\(Svg.number(Self.left + Double(bin) * width + 0.5))" \
        y="\(Svg.number(Self.top + Self.side - height))" width="\(Svg.number(width - 1))" \
        height="\(Svg.number(height))" opacity="\(Figure.fixed(0.25 + 0.75 * share, 2))">\
        <title>confidence \(low)–\(high) %: \(grouped(calibration.counts[bin])) answers, \
        \(Figure.fixed(100 * accuracy, 1)) % right</title></rect>

        """
    }
    let marks = [0, 50, 100].map { mark -> Markup in
      let offset = Double(mark) / 100 * Self.side
      return """
        <text x="\(Svg.number(Self.left - 5))" y="\(Svg.number(Self.top + Self.side - offset + 4))" \
        text-anchor="end">\(mark)</text>\
        <text x="\(Svg.number(Self.left + offset))" y="\(Svg.number(Self.top + Self.side + 16))" \
        text-anchor="middle">\(mark)</text>

        """
    }
    let right = 100 * Double(calibration.correct.reduce(0, +)) / Double(calibration.total)
    return """
      <figure class="chart square"><figcaption>\(title)</figcaption>
      <svg viewBox="0 0 250 230" role="img" aria-label="\(title): ECE \(Figure.fixed(100 * error, 2)) %">
      <path class="grid" d="M34 8H234V208H34Z"/>
      \(bars)\(marks)<path class="diagonal" d="M34 208L234 8"/>
      </svg>
      <p class="note">ECE <b>\(Figure.fixed(100 * error, 2)) %</b> · \(Figure.fixed(right, 2)) % right at \
      \(Figure.fixed(100 * mean, 2)) % mean confidence · \(grouped(calibration.total)) images</p></figure>

      """
  }
}
