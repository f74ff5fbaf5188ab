// How good the students became, and the way there.

extension ReportPage {
  /// Figures of one run, or a table of several.
  var results: Markup { isComparison ? comparison : figures(runs[0]) }

  private func figures(_ run: RunRecord) -> Markup {
    let summary = run.summary
    var entries: [(String, String)] = []
    if let top1 = summary.testTop1Last {
      entries.append((Figure.percent(top1), "top-1, last epoch"))
    }
    if let top1 = summary.testTop1Best {
      entries.append((Figure.percent(top1), "top-1, best epoch"))
    }
    if let top5 = summary.testTop5Last {
      entries.append((Figure.percent(top5), "top-5, last epoch"))
    }
    for (value, name) in [
      (summary.manyTop1, "many"), (summary.mediumTop1, "medium"), (summary.fewTop1, "few"),
    ] {
      if let value { entries.append((Figure.percent(value), "top-1, \(name)-shot classes")) }
    }
    entries.append((summary.epochs.map(String.init) ?? "\(run.metrics.count) so far", "epochs"))
    if let seconds = summary.seconds { entries.append((durationText(seconds), "training time")) }
    if let rate = summary.imagesPerSecond { entries.append((Figure.short(rate), "images/s")) }
    if let parameters = summary.parameters { entries.append((grouped(parameters), "parameters")) }
    if let images = summary.trainingImages { entries.append((grouped(images), "training images")) }
    let cards = entries.map { "<div><b>\($0.0)</b><span>\($0.1)</span></div>\n" as Markup }
    return "<section class=\"figures\">\n\(cards)</section>\n"
  }

  private var comparison: Markup {
    let columns: [(name: String, value: (RunRecord) -> Double?)] = [
      ("top-1 last", \.summary.testTop1Last), ("best", \.summary.testTop1Best),
      ("top-5", \.summary.testTop5Last), ("many", \.summary.manyTop1),
      ("medium", \.summary.mediumTop1), ("few", \.summary.fewTop1),
    ]
    let shown = columns.filter { column in runs.contains { column.value($0) != nil } }
    let best = shown.map { column in runs.compactMap { column.value($0) }.max() }
    let rows = runs.enumerated().map { index, run -> [Markup] in
      var row: [Markup] = [
        "\(swatch(index))\(run.name)", "<td class=\"text\">\(run.method)</td>",
        "<td class=\"text\">\(run.student)</td>",
      ]
      row += zip(shown, best).map { column, best -> Markup in
        let value = column.value(run)
        let kind = value != nil && value == best ? " class=\"best\"" as Markup : .none
        return "<td\(kind)>\(Figure.percent(value))</td>"
      }
      row.append("\(run.summary.epochs.map(String.init) ?? "\(run.metrics.count) so far")")
      row.append("\(run.summary.seconds.map(durationText) ?? "–")")
      row.append("\(run.summary.imagesPerSecond.map(Figure.short) ?? "–")")
      return row
    }
    return section(
      "Results",
      table(
        ["run", "method", "student"] + shown.map(\.name) + ["epochs", "time", "images/s"],
        texts: [1, 2], rows))
  }

  /// The run's colour in all pictures.
  private func swatch(_ index: Int) -> Markup {
    """
    <svg class="c\(index % Svg.colors)" width="10" height="10" viewBox="0 0 10 10" \
    aria-hidden="true"><rect class="bar" width="10" height="10" rx="2"/></svg>&nbsp;
    """
  }

  var curves: Markup {
    let pictures = (isComparison ? comparedCurves : ownCurves).filter { !$0.isEmpty }
    // Rows of three, unless that leaves one alone.
    let kind = pictures.count % 3 == 1 ? "grid pairs" : "grid"
    return pictures.isEmpty
      ? .none : section("Training", "<div class=\"\(kind)\">\n\(pictures)</div>\n")
  }

  /// The curves of one run: what belongs together in one picture.
  private var ownCurves: [Markup] {
    let run = runs[0]
    let terms = run.names.filter(EpochMetrics.isLossTerm)
    let losses =
      [("total", "loss")] + (terms.count > 1 ? terms.map { ($0, $0) } : [])
    let accuracies = run.names.filter { $0.contains("_top") }.map { name in
      (name.replacing("_top", with: " top-"), name)
    }
    return [
      chart("Loss", run, losses), chart("Accuracy", unit: "%", run, accuracies),
      chart("Learning rate", run, [("lr", "lr")], isRate: true, fromZero: true),
      chart(
        "Throughput", unit: "images/s", run, [("images/s", "images_per_second")], fromZero: true),
    ]
  }

  private func chart(
    _ title: String, unit: String = "", _ run: RunRecord, _ curves: [(label: String, name: String)],
    isRate: Bool = false, fromZero: Bool = false
  ) -> Markup {
    let series = curves.enumerated().map { index, curve in
      LineChart.Series(name: curve.label, color: index, points: run.points(curve.name))
    }
    return LineChart(
      title: title, unit: unit, series: series, isLogarithmic: isRate && Self.dropsFar(series),
      fromZero: fromZero
    ).markup
  }

  /// The curves of several runs: one picture for each number that any of them has.
  private var comparedCurves: [Markup] {
    let names = Set(runs.flatMap(\.names))
    // An only term is the loss.
    let terms = Set(
      runs.map { $0.names.filter(EpochMetrics.isLossTerm) }.filter { $0.count > 1 }.joined()
    ).sorted()
    let accuracies = names.filter { $0.contains("_top") }.sorted()
    var pictures = [("Loss", "loss", "")]
    pictures += accuracies.map { ($0.replacing("_top", with: " top-"), $0, "%") }
    pictures += terms.map { ("Loss term \($0)", $0, "") }
    pictures += [("Learning rate", "lr", ""), ("Throughput", "images_per_second", "images/s")]
    return pictures.map { title, name, unit in
      let series = runs.enumerated().map { index, run in
        LineChart.Series(name: run.name, color: index, points: run.points(name))
      }
      return LineChart(
        title: title, unit: unit, series: series,
        isLogarithmic: name == "lr" && Self.dropsFar(series),
        fromZero: ["lr", "images_per_second"].contains(name)
      ).markup
    }
  }

  /// Whether the small end of a rate could not be seen beside the large one.
  private static func dropsFar(_ series: [LineChart.Series]) -> Bool {
    let values = series.flatMap { $0.points.map(\.y) }
    guard let low = values.min(), let high = values.max(), low > 0 else { return false }
    return high / low > 20
  }
}
