import Foundation

// What the student was taught, and what it made of it.

extension ReportPage {
  /// Agreement with the teacher and how far both can be believed.
  var teacher: Markup {
    let compared = runs.filter { $0.evaluation.comparison != nil }
    let rows = compared.compactMap { run -> [Markup]? in
      guard let found = run.evaluation.comparison else { return nil }
      return [
        "\(run.name)", "\(Figure.percent(found.agreement))", "\(Figure.percent(found.teacherTop1))",
        "\(Figure.percent(found.studentTop1))", "\(Figure.short(found.divergence))",
        "\(grouped(found.images))", "<td class=\"text\">\(found.views)</td>",
      ]
    }
    let words: Markup =
      rows.isEmpty
      ? .none
      : """
      <p class="note">On views of training images that both saw; KL(teacher ‖ student) in nats at \
      temperature 1.</p>
      \(table(["run", "agreement, %", "teacher right, %", "student right, %", "KL", "images", "view"], rows))
      """
    let content: Markup = "\(words)\(calibration)"
    return section(compared.isEmpty ? "Calibration" : "Teacher and student", content)
  }

  private var calibration: Markup {
    let diagrams = runs.enumerated().flatMap { index, run -> [Markup] in
      let before = isComparison ? "\(run.name): " : ""
      var diagrams: [Markup] = []
      if let test = run.evaluation.test {
        diagrams.append(
          ReliabilityDiagram(
            title: before + "student, test set", calibration: test.calibration, color: index
          ).markup)
      }
      if let found = run.evaluation.comparison, !isComparison {
        diagrams.append(
          ReliabilityDiagram(
            title: "student, training views", calibration: found.student, color: 2
          ).markup)
        diagrams.append(
          ReliabilityDiagram(
            title: "teacher, training views", calibration: found.teacher, color: 1
          ).markup)
      }
      return diagrams
    }
    guard diagrams.contains(where: { !$0.isEmpty }) else { return .none }
    return """
      <p class="note">Accuracy over confidence, both in %, in \(Calibration.binCount) bins; what lies \
      below the diagonal is overconfident. ECE is the mean distance from it.</p>
      <div class="squares">
      \(diagrams)</div>

      """
  }

  /// A strip of views for each cache or teacher.
  var seen: Markup {
    var shown: Set<String> = []
    let strips = runs.compactMap { run -> Markup? in
      guard !run.evaluation.seen.isEmpty,
        shown.insert(run.evaluation.cache?.id ?? run.name).inserted
      else { return nil }
      let views = run.evaluation.seen.map { picture($0, run.evaluation.test) }
      return "\(heading(run))<div class=\"strip\">\n\(views)</div>\n"
    }
    return section("What the teacher saw", Markup(strips))
  }

  private func picture(_ seen: RunEvaluation.Seen, _ test: RunEvaluation.Test?) -> Markup {
    let name = { (label: Int) -> String in
      guard let names = test?.classNames, names.indices.contains(label) else {
        return "class \(label)"
      }
      return names[label]
    }
    let lines = zip(seen.classes, seen.probabilities).map { label, p -> Markup in
      let kind: Markup = label == seen.label ? " class=\"label\"" : .none
      return "<li\(kind)><span>\(name(label))</span><span>\(Figure.fixed(100 * p, 1)) %</span></li>"
    }
    return """
      <figure class="seen"><img alt="image \(seen.image), \(seen.view)" \
      src="data:image/png;base64,\(seen.png.base64EncodedString())">
      <figcaption>image \(seen.image), \(seen.view)<br>label \(name(seen.label))</figcaption>
      <ol>\(lines)</ol></figure>

      """
  }

  /// The identity of the cache and how exact it is.
  var cache: Markup {
    var shown: Set<String> = []
    let lists = runs.compactMap { run -> Markup? in
      guard let cache = run.evaluation.cache, shown.insert(cache.id).inserted else { return nil }
      let views = cache.views.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
      let raw = Double(4 * (run.evaluation.test?.images.count ?? 0))
      let ratio =
        raw > 0 && cache.bytesPerView > 0
        ? " (fp32 is \(Figure.short(raw)), \(Figure.fixed(raw / cache.bytesPerView, 1)) times as much)"
        : ""
      let measured = cache.errorMeasured.map { ", at most \(Figure.short($0)) as measured" } ?? ""
      let users = runs.filter { $0.evaluation.cache?.id == cache.id }.map(\.name)
      var entries: [(String, Markup)] = [
        ("cache", "<b>\(cache.id)</b>"),
        ("teacher", "\(cache.teacher), weights \(cache.teacherWeights)"),
        (
          "holds",
          "\(views.joined(separator: ", ")); \(grouped(cache.records)) views, \(bytesText(cache.bytes))"
        ),
        ("logits", "\(cache.codec), \(Figure.fixed(cache.bytesPerView, 1)) bytes a view\(ratio)"),
        (
          "error",
          """
          gradient of T²·KL off by at most \(Figure.short(cache.errorBound)) in L1 at every \
          temperature\(measured)
          """
        ),
      ]
      if isComparison { entries.append(("used by", "\(users.joined(separator: ", "))")) }
      return list(entries)
    }
    return section("The cache", Markup(lists))
  }
}
