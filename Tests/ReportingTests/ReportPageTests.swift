import Foundation
import Reporting
import Testing

/// The page itself: nothing from outside, nothing unescaped, nothing missing that is there.
struct ReportPageTests {
  /// A run whose every name tries to become markup.
  static func run(
    _ name: String = #"runs/<script>alert("1")</script>&"#, complete: Bool = true
  ) -> RunRecord {
    let hostile = #"<img src=x onerror='alert(1)'>"#
    let metrics = (1...4).map {
      #"{"epoch":\#($0),"loss":\#(4 / Double($0)),"ce":1,"kd":\#(3 / Double($0)),"lr":0.05,"#
        + #""train_top1":\#(10 * $0),"test_top1":\#(9 * $0),"test_top5":50,"#
        + #""images_per_second":1000,"seconds":2}"#
    }.joined(separator: "\n")
    var summary = RunRecord.Summary()
    var evaluation = RunEvaluation()
    if complete {
      summary.testTop1Last = 72.625
      summary.manyTop1 = 81.5
      let calibration = Calibration(
        confidences: [0.9, 0.8, 0.3], correct: [true, true, false])
      evaluation.test = RunEvaluation.Test(
        classNames: ["cat", hostile, "dog"], trainingImages: [10, 500, 50], images: [3, 3, 4],
        correct: [1, 3, 2],
        confusions: [RunEvaluation.Confusion(label: 0, predicted: 1, count: 2)],
        calibration: calibration)
      evaluation.comparison = RunEvaluation.Comparison(
        views: "weak:0", images: 3, agreement: 66.5, teacherTop1: 90.25, studentTop1: 70.5,
        divergence: 0.125, teacher: calibration, student: calibration)
      evaluation.seen = [
        RunEvaluation.Seen(
          image: 7, view: "weak:0", label: 1, png: Data([1, 2, 3]), classes: [1, 0, 2],
          probabilities: [0.875, 0.1, 0.025])
      ]
      evaluation.cache = CacheFacts(
        id: "0123456789abcdef", teacher: hostile, teacherWeights: "ffee", codec: "q8",
        views: ["weak": 16], records: 160, bytes: 16_000, bytesPerView: 9.5, errorBound: 0.06,
        errorMeasured: 0.0421)
      evaluation.cost = TeacherCost(
        isLive: false, teacherSeconds: 0.25, studentSeconds: 0.125, views: 8, storedViews: 20,
        trainingSeconds: 4)
    }
    guard let lines = try? EpochMetrics.lines(of: Data(metrics.utf8)) else {
      preconditionFailure("these lines are whole")
    }
    return RunRecord(
      name: name, configuration: "method: kd\nkd:\n  ce_weight: 0.1\ninputs:\n  cache_id: abcd\n",
      metrics: lines, summary: summary,
      evaluation: evaluation)
  }

  private static func page(_ runs: [RunRecord]) -> String {
    String(decoding: ReportPage(runs).bytes, as: UTF8.self)
  }

  @Test func textCannotBecomeMarkup() {
    for page in [Self.page([Self.run()]), Self.page([Self.run(), Self.run("b\"c'd")])] {
      #expect(!page.contains("<script"))
      #expect(!page.contains("<img src=x"))
      #expect(!page.contains("b\"c'd"))
      #expect(page.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;"))
    }
  }

  @Test func nothingComesFromOutside() throws {
    let page = Self.page([Self.run(), Self.run("b")])
    #expect(page.contains("default-src 'none'; img-src data:; style-src 'unsafe-inline'"))
    #expect(page.contains("name=\"viewport\""))
    #expect(!page.contains("http://") && !page.contains("https://") && !page.contains("url("))
    #expect(!page.contains("<link") && !page.contains("@import"))
    for source in page.matches(of: /\bsrc="([^"]*)"/) {
      #expect(source.1.hasPrefix("data:image/png;base64,"))
    }
  }

  /// Every element that is opened is closed, in the right order.
  @Test func elementsAreBalanced() throws {
    for runs in [
      [Self.run()], [Self.run(), Self.run("b"), Self.run("c", complete: false)],
      [Self.run(complete: false)],
    ] {
      var open: [Substring] = []
      for tag in Self.page(runs).matches(of: /<(\/?)([a-zA-Z][a-zA-Z0-9]*)[^>]*?(\/?)>/) {
        if ["meta", "img", "br"].contains(tag.2) || tag.3 == "/" { continue }
        if tag.1.isEmpty {
          open.append(tag.2)
        } else {
          let last = open.popLast()
          #expect(last == tag.2)
        }
      }
      #expect(open == [])
    }
  }

  @Test(arguments: [
    "72.63", "81.50", "0.06", "0.0421", "0123456789abcdef", "9.5 bytes a view", "66.50", "90.25",
    "weak:0", "AQID", "87.5 %", "from student 3", "1.50×", "--recipe", "--cache CACHE",
    "CACHE: abcd", "ce_weight: 0.1", "Throughput", "Learning rate", "many", "Most confused",
  ])
  func whatIsKnownIsThere(text: String) {
    #expect(Self.page([Self.run("a")]).contains(text))
  }

  @Test func whatIsNotKnownIsLeftOut() {
    let page = Self.page([Self.run("a", complete: false)])
    for title in ["What the teacher saw", "The cache", "saves", "Calibration", "Classes"] {
      #expect(!page.contains("<h2>\(title)"), "\(title)")
    }
    #expect(page.contains("Configuration") && page.contains("Loss"))
    #expect(!page.contains("nan") && !page.contains("inf,"))
  }

  /// summary.json may say anything.
  @Test func numbersThatCannotBeAreShownAsTheyAre() {
    let run = Self.run("a")
    var summary = run.summary
    summary.parameters = .min
    summary.trainingImages = -1
    summary.seconds = -1
    let page = Self.page([
      RunRecord(
        name: "a", configuration: run.configuration, metrics: run.metrics, summary: summary,
        evaluation: run.evaluation)
    ])
    #expect(page.contains("<b>-9,223,372,036,854,775,808</b><span>parameters"))
  }

  @Test func severalRunsStandSideBySide() throws {
    let page = Self.page([Self.run("a"), Self.run("b")])
    #expect(page.contains("<h2>Results</h2>"))
    // One table row and one curve a run; the same cache is described once.
    #expect(page.matches(of: /<h3>a<\/h3>/).count >= 1)
    #expect(page.matches(of: /used by/).count == 1)
    #expect(page.matches(of: /Loss term kd/).count >= 1)
    #expect(page.contains("All settings are equal."))
  }

  /// The classes from the most frequent on: 500, 50 and 10 training images.
  @Test func classesAreSortedByFrequency() throws {
    let page = Self.page([Self.run("a")])
    let table = try #require(page.firstRange(of: "All 3 classes"))
    let rest = page[table.upperBound...]
    let places = try ["onerror", "dog", "cat"].map {
      try #require(rest.firstRange(of: $0)).lowerBound
    }
    #expect(places == places.sorted())
    for group in ["many", "medium", "few"] { #expect(page.contains("band \(group)")) }
  }
}
