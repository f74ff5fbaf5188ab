import Foundation
import Networks

/// The recipes that come with the programs: the .yaml files of one folder, read by name.
package struct RecipeCatalog: Sendable {
  /// nil where no folder was found.
  package let folder: String?
  /// Where it was looked for, in this order.
  package let searched: [String]

  /// - Parameters:
  ///   - named: the folder that the user named; then no other is looked for.
  ///   - executable: path of the program; the folder is `data/recipes` beside it or above it, or where
  ///     tools/install puts it, `share/teacher-cache/recipes`.
  package init(named: String?, executable: String) {
    var places: [String] = []
    if let named {
      places = [named]
    } else {
      var parent = URL(fileURLWithPath: executable).standardizedFileURL
      while parent.path != "/" {
        parent.deleteLastPathComponent()
        places.append(parent.appendingPathComponent("data/recipes").path)
        places.append(parent.appendingPathComponent("share/teacher-cache/recipes").path)
      }
    }
    searched = places
    folder = places.first { place in
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: place, isDirectory: &isFolder)
        && isFolder.boolValue
    }
  }

  /// The names, each before those with a larger number at the same place.
  package var names: [String] {
    let files = folder.flatMap { try? FileManager.default.contentsOfDirectory(atPath: $0) } ?? []
    return files.filter { $0.hasSuffix(".yaml") && !$0.hasPrefix(".") }
      .map { String($0.dropLast(5)) }
      .sorted { $0.compare($1, options: .numeric) == .orderedAscending }
  }

  /// The recipe of a name in the folder, or of a file.
  ///
  /// What holds a slash or ends in .yaml or .yml is a file; anything else is a name first, in any
  /// case of letters.
  ///
  /// - Throws: ``SettingError`` of kind `.usage` with the names nearest to one that is none, of kind
  ///   `.missingFile` where there is no folder of recipes; and those of ``Recipe/read(_:)``.
  package func recipe(_ text: String) throws(SettingError) -> Recipe {
    if text.contains("/") || [".yaml", ".yml"].contains(where: text.lowercased().hasSuffix) {
      return try Recipe.read(text)
    }
    let names = names
    if let folder, let name = names.first(where: { $0.lowercased() == text.lowercased() }) {
      return try Recipe.read("\(folder)/\(name).yaml")
    }
    if FileManager.default.fileExists(atPath: text) { return try Recipe.read(text) }
    guard let folder else {
      throw SettingError(
        .missingFile,
        "there is no recipe \"\(text)\": no folder of recipes in \(searched.joined(separator: ", "))"
          + "; set the environment variable DISTILL_RECIPES to it, or give the path of a file")
    }
    let near = Self.suggestions(for: text, among: names)
    throw SettingError(
      .usage,
      "there is no recipe \"\(text)\" in \(folder); "
        + (near.isEmpty ? "" : "nearest: \(near.joined(separator: ", ")); ")
        + "student-train recipes lists all")
  }

  /// Names that begin with the text or have it inside, else those that fewest changes lead to; at
  /// most five.
  private static func suggestions(for text: String, among names: [String]) -> [String] {
    let inside = names.filter { $0.lowercased().contains(text.lowercased()) }
    if !inside.isEmpty { return Array(inside.prefix(5)) }
    return nearest(to: text, in: names)
  }
}

/// What a shipped recipe says about itself, for a list.
package struct RecipeSummary: Sendable {
  package let name: String
  /// Its settings by key.
  package let settings: [String: String]
  /// The lines `word: text` of the comment that it begins with, such as teacher and published.
  package let remarks: [String: String]
}

extension RecipeCatalog {
  /// What the recipes say about themselves.
  ///
  /// - Parameter text: only those that have it in their name.
  package func summaries(containing text: String = "") throws(SettingError) -> [RecipeSummary] {
    guard let folder else {
      throw SettingError(
        .missingFile,
        "there is no folder of recipes in \(searched.joined(separator: ", ")); set the environment "
          + "variable DISTILL_RECIPES to it")
    }
    var summaries: [RecipeSummary] = []
    for name in names where text.isEmpty || name.lowercased().contains(text.lowercased()) {
      let path = "\(folder)/\(name).yaml"
      let recipe = try Recipe.read(path)
      var settings: [String: String] = [:]
      for (key, value) in recipe.settings { settings[key] = value }
      summaries.append(
        RecipeSummary(name: name, settings: settings, remarks: try Self.remarks(path)))
    }
    return summaries
  }

  private static func remarks(_ path: String) throws(SettingError) -> [String: String] {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw SettingError(.permission, "\(path): the recipe cannot be read")
    }
    var remarks: [String: String] = [:]
    for line in String(decoding: data, as: UTF8.self).split(separator: "\n") {
      guard line.hasPrefix("# ") else { break }
      let parts = line.dropFirst(2).split(separator: ":", maxSplits: 1)
      guard parts.count == 2, !parts[0].contains(" ") else { continue }
      remarks[String(parts[0])] = parts[1].trimmingCharacters(in: .whitespaces)
    }
    return remarks
  }
}
