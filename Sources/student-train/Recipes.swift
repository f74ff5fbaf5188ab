import ArgumentParser
import CommandSupport
import Experiments
import Foundation

struct Recipes: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the recipes that --recipe knows by name.",
    discussion: """
      A recipe is the published setting of a method on a pair of networks. A file of your \
      own, a run's config.yaml and a configuration of mdistiller do as well.

      Examples:
        student-train recipes
        student-train recipes resnet56
        student-train --recipe cifar100-resnet56-resnet20-crld --print-config
      """)

  @Argument(help: ArgumentHelp("Only names that have this in them.", valueName: "text"))
  var text: String = ""

  func run() throws {
    let summaries = try shippedRecipes().summaries(containing: text)
    guard !summaries.isEmpty else {
      throw Failure(Status.noInput, "no recipe has \"\(text)\" in its name")
    }
    let rows = summaries.map { recipe in
      [
        recipe.name, recipe.settings["method"] ?? "", recipe.settings["student"] ?? "",
        [recipe.settings["dataset"], recipe.settings["subset"]].compactMap { $0 }
          .joined(separator: " "),
        recipe.remarks["teacher"]?.split(separator: " ").first.map(String.init) ?? "",
        Self.accuracy(recipe.remarks["published"]),
      ]
    }
    printResult(
      Self.table([["recipe", "method", "student", "images", "teacher", "published"]] + rows))
  }

  /// "72.10 % [S]" of "72.10 % top-1 [S] where from"; nothing where no figure could be verified.
  private static func accuracy(_ published: String?) -> String {
    guard let published, let number = published.split(separator: " ").first,
      Double(number) != nil
    else { return "" }
    let mark = published.firstIndex(of: "[").map { published[$0...].prefix(3) } ?? ""
    return "\(number) % \(mark)"
  }

  /// Columns as wide as their widest cell.
  private static func table(_ rows: [[String]]) -> String {
    let widths = (rows.first ?? []).indices.map { column in
      rows.map { $0[column].count }.max() ?? 0
    }
    return rows.map { row in
      var line = zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }
        .joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      return line
    }.joined(separator: "\n")
  }
}
