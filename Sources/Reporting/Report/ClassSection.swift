// Which classes are recognised, and what they are taken for.

extension ReportPage {
  var classes: Markup {
    let known = runs.enumerated().compactMap { index, run in
      run.evaluation.test.map {
        ClassChart.Result(name: run.name, color: index, dataset: run.dataset, test: $0)
      }
    }
    let parts = Self.parts(known)
    let tables = parts.map { results -> Markup in
      let names = results.map(\.name).joined(separator: ", ")
      return """
        \(parts.count > 1 ? "<h3>\(results[0].dataset): \(names)</h3>\n" as Markup : .none)\
        \(ClassChart(results).markup)\(isComparison ? groups(results) : .none)\
        \(classTable(results))
        """
    }
    return section("Classes", "\(tables)\(confusions(known))")
  }

  /// The results by what may stand in one table, in the order of their first ones.
  private static func parts(_ results: [ClassChart.Result]) -> [[ClassChart.Result]] {
    var parts: [[ClassChart.Result]] = []
    for result in results {
      if let index = parts.firstIndex(where: { $0[0].isAlike(result) }) {
        parts[index].append(result)
      } else {
        parts.append([result])
      }
    }
    return parts
  }

  /// The mean accuracy of each shot group.
  private func groups(_ results: [ClassChart.Result]) -> Markup {
    let test = results[0].test
    let groups = ShotGroup.allCases.map { group in
      (
        group,
        test.trainingImages.indices.filter {
          ShotGroup(trainingImages: test.trainingImages[$0]) == group && test.images[$0] > 0
        }
      )
    }.filter { !$0.1.isEmpty }
    let rows = results.map { result -> [Markup] in
      ["\(result.name)"]
        + groups.map { _, labels in
          let mean =
            labels.reduce(0.0) {
              $0 + 100 * Double(result.test.correct[$1]) / Double(result.test.images[$1])
            } / Double(labels.count)
          return "\(Figure.percent(mean))"
        }
    }
    let head = groups.map { "\($0.0.rawValue) (\($0.1.count) classes)" }
    return table(["mean of the classes"] + head, rows)
  }

  private func classTable(_ results: [ClassChart.Result]) -> Markup {
    let test = results[0].test
    let rows = ClassChart.order(test).map { label -> [Markup] in
      ["\(ClassChart.name(label, test))", "\(grouped(test.trainingImages[label]))"]
        + results.map { result in
          let images = result.test.images[label]
          return
            "\(images == 0 ? "–" : Figure.fixed(100 * Double(result.test.correct[label]) / Double(images), 1))"
        }
    }
    return """
      <details><summary>All \(rows.count) classes</summary>
      \(table(["class", "training images"] + results.map(\.name), rows))</details>

      """
  }

  private func confusions(_ results: [ClassChart.Result]) -> Markup {
    let tables = results.compactMap { result -> Markup? in
      guard !result.test.confusions.isEmpty else { return nil }
      let rows = result.test.confusions.prefix(10).map { pair -> [Markup] in
        let images = result.test.images[pair.label]
        let share = images == 0 ? 0 : 100 * Double(pair.count) / Double(images)
        return [
          "\(ClassChart.name(pair.label, result.test))",
          "<td class=\"text\">\(ClassChart.name(pair.predicted, result.test))</td>",
          "\(grouped(pair.count))", "\(Figure.fixed(share, 1)) %",
        ]
      }
      return """
        <div>\(isComparison ? "<p>\(result.name)</p>" as Markup : .none)\
        \(table(["label", "taken for", "images", "share"], texts: [1], rows))</div>

        """
    }
    return tables.isEmpty
      ? .none : "<h3>Most confused</h3>\n<div class=\"grid\">\n\(tables)</div>\n"
  }
}
