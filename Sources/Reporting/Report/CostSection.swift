// What the teacher's work comes to.

extension ReportPage {
  var cost: Markup {
    let known = runs.compactMap { run in run.evaluation.cost.map { (run: run, cost: $0) } }
    guard !known.isEmpty else { return .none }
    let rows = known.map { run, cost -> [Markup] in
      [
        "\(run.name)", "\(durationText(cost.cachedSeconds))", "\(durationText(cost.liveSeconds))",
        "\(Figure.fixed(cost.liveSeconds / max(cost.cachedSeconds, 1e-9), 2))×",
        "\(cost.dumpSeconds.map(durationText) ?? "–")",
        "\(cost.breakEvenStudents.map { "from student \($0)" } ?? "–")",
      ]
    }
    return section(
      "What the cache saves",
      """
      \(table(
        ["run", "from a cache", "teacher beside it", "faster", "evaluating the teacher once", "pays"],
        rows))\(isComparison ? .none : students(known[0].cost))\(notes(known.map(\.cost)))
      """)
  }

  /// The whole bill for several students like this one.
  private func students(_ cost: TeacherCost) -> Markup {
    guard let dump = cost.dumpSeconds else { return .none }
    let rows = [1, 5, 20].map { count -> [Markup] in
      let (live, cached) = (
        Double(count) * cost.liveSeconds, dump + Double(count) * cost.cachedSeconds
      )
      return [
        "\(count)", "\(durationText(live))", "\(durationText(cached))",
        "\(Figure.fixed(live / max(cached, 1e-9), 2))×",
      ]
    }
    return table(
      ["students like this one", "teacher beside each", "one cache for all", "faster"], rows)
  }

  private func notes(_ costs: [TeacherCost]) -> Markup {
    let time = { (seconds: Double) in Figure.short(1e6 * seconds) + " µs" }
    let measured =
      costs.count == 1
      ? "A forward pass of one view took \(time(costs[0].teacherSeconds)) in the teacher and "
        + "\(time(costs[0].studentSeconds)) in the student. "
      : ""
    return """
      <p class="note">\(measured)Passes are timed when a run ends, on the machine and threads of its \
      last part; a run's own time is measured, the other follows from it by the teacher's passes over \
      the views that it compared.</p>

      """
  }
}
