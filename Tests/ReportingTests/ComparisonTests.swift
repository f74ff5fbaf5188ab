import Foundation
import Reporting
import Testing

/// Several runs on one page: what may stand in one table, and what tells the runs apart.
struct ComparisonTests {
  /// - Parameters:
  ///   - images: training images of each of three classes.
  ///   - terms: the names of the loss terms.
  private static func run(
    _ name: String, dataset: String = "mnist", images: [Int] = [10, 500, 50],
    terms: [String] = ["ce"]
  ) throws -> RunRecord {
    let whole = ReportPageTests.run(name)
    var evaluation = whole.evaluation
    evaluation.test?.trainingImages = images
    evaluation.test?.classNames = (0..<3).map { "\(dataset) \($0)" }
    let lines = [1, 2].map { epoch in
      #"{"epoch":\#(epoch),"loss":1"# + terms.map { #","\#($0)":0.5"# }.joined() + "}"
    }
    return RunRecord(
      name: name, configuration: "dataset: \(dataset)\nseed: 1\n",
      metrics: try EpochMetrics.lines(of: Data(lines.joined(separator: "\n").utf8)),
      summary: whole.summary, evaluation: evaluation)
  }

  private static func page(_ runs: [RunRecord]) -> String {
    String(decoding: ReportPage(runs).bytes, as: UTF8.self)
  }

  @Test func equalClassesShareATable() throws {
    let page = try Self.page([Self.run("a"), Self.run("b")])
    #expect(page.matches(of: /All 3 classes/).count == 1)
    #expect(page.contains("<th>training images</th><th>a</th><th>b</th>"))
    #expect(!page.contains("<h3>mnist"))
  }

  /// The classes of another data set have other names; those of another subset have other training
  /// images, so that they fall into other shot groups.
  @Test func otherClassesHaveATableOfTheirOwn() throws {
    let page = try Self.page([
      Self.run("a"), Self.run("b", dataset: "cifar10"), Self.run("c", images: [10, 20, 50]),
      Self.run("d"),
    ])
    #expect(page.matches(of: /All 3 classes/).count == 3)
    for heading in ["<h3>mnist: a, d</h3>", "<h3>cifar10: b</h3>", "<h3>mnist: c</h3>"] {
      #expect(page.contains(heading), "\(heading)")
    }
    #expect(page.contains("<td>cifar10 1</td><td>500</td>"))
    #expect(page.contains("<td>mnist 1</td><td>20</td>"))
    #expect(page.contains("<th>many (1 "))
    #expect(page.contains("<th>medium (2 "))
  }

  @Test func sixteenRunsHaveSixteenStyles() throws {
    let page = try Self.page((0..<16).map { try Self.run("run \($0)") })
    let legend = page.matches(of: /class="(line c[^"]*)" d="M1 5H21"\/><\/svg>run/)
    #expect(legend.count == 16)
    #expect(Set(legend.map(\.1)).count == 16)
    let curves = page.matches(of: /<path class="(line c[^"]*)" d="M4/)
    #expect(Set(curves.map(\.1)) == Set(legend.map(\.1)))
  }

  /// The only term of a run is its loss.
  @Test func anOnlyTermHasNoPictureOfItsOwn() throws {
    let single = [try Self.run("a"), try Self.run("b", terms: ["focal"])]
    #expect(!Self.page(single).contains("Loss term"))
    let page = Self.page(single + [try Self.run("c", terms: ["ce", "kd"])])
    #expect(page.contains("Loss term ce") && page.contains("Loss term kd"))
    #expect(!page.contains("Loss term focal"))
  }

  @Test(arguments: [
    ("r/ce0", "r/ce0/config.yaml", "r/ce0-again"), ("r/ce0/", "r/ce0/config.yaml", "r/ce0-again"),
    ("r/ce0//./", "r/ce0/config.yaml", "r/ce0-again"), (".", "./config.yaml", "../again"),
    ("./", "./config.yaml", "../again"), ("..", "../config.yaml", "../../again"),
    ("r/..", "r/../config.yaml", "r/../../again"), ("r./", "r./config.yaml", "r.-again"),
  ])
  func aRepetitionStandsBesideItsRun(name: String, recipe: String, output: String) throws {
    let page = try Self.page([Self.run(name)])
    #expect(page.contains("--recipe \(recipe) --data"))
    #expect(page.contains("--output \(output)</pre>"))
  }
}
