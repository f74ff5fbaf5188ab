/// One HTML page about one run or several side by side. It loads nothing and runs nothing: pictures
/// are inline, and its policy forbids the rest.
package struct ReportPage {
  let runs: [RunRecord]

  package init(_ runs: [RunRecord]) {
    precondition(!runs.isEmpty, "a report of no runs")
    self.runs = runs
  }

  /// The file's bytes.
  package var bytes: [UInt8] { Array(page.text.utf8) }

  var isComparison: Bool { runs.count > 1 }

  private var title: String {
    isComparison
      ? "\(runs.count) runs on \(Set(runs.map(\.dataset)).sorted().joined(separator: ", "))"
      : "\(runs[0].student), \(runs[0].method) on \(runs[0].dataset)"
  }

  private var page: Markup {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta http-equiv="Content-Security-Policy" \
    content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
    <title>\(title)</title>
    <style>
    \(ReportStyle.css)
    </style>
    </head>
    <body>
    <header>
    <h1>\(title)</h1>
    <p class="sub">\(runs.map(\.name).joined(separator: " · "))</p>
    </header>
    <main>
    \(results)\(curves)\(classes)\(teacher)\(seen)\(cache)\(cost)\(configuration)
    </main>
    <footer>Accuracies are percent of the test set unless a line says otherwise. Written by \
    student-train report.</footer>
    </body>
    </html>

    """
  }

  /// A section; nothing without content.
  func section(_ title: String, _ content: Markup) -> Markup {
    content.isEmpty ? .none : "<section>\n<h2>\(title)</h2>\n\(content)</section>\n"
  }

  /// A table whose first column is text; it scrolls where it is wider than the page.
  ///
  /// - Parameter texts: the numbers of other columns of text.
  func table(_ head: [String], texts: Set<Int> = [], _ rows: [[Markup]]) -> Markup {
    let names = head.enumerated().map { column, name -> Markup in
      texts.contains(column) ? "<th class=\"text\">\(name)</th>" : "<th>\(name)</th>"
    }
    let body = rows.map { row -> Markup in "<tr>\(row.map { cell($0) })</tr>\n" }
    return """
      <div class="scroll"><table>
      <thead><tr>\(names)</tr></thead>
      <tbody>
      \(body)</tbody></table></div>

      """
  }

  private func cell(_ content: Markup) -> Markup {
    content.text.hasPrefix("<td") ? content : "<td>\(content)</td>"
  }

  func list(_ entries: [(String, Markup)]) -> Markup {
    let items = entries.map { "<dt>\($0.0)</dt><dd>\($0.1)</dd>\n" as Markup }
    return "<dl>\n\(items)</dl>\n"
  }

  /// A heading with the run's name, where there are several.
  func heading(_ run: RunRecord) -> Markup {
    isComparison ? "<h3>\(run.name)</h3>\n" : .none
  }
}
