import FileIO
import Foundation
import Yams

/// A recipe file as flat settings: `dkd: {beta: 2}` becomes `dkd.beta` = `2`.
///
/// A file in the words of mdistiller is translated, see `MdistillerKeys`.
package struct Recipe: Sendable {
  package let path: String
  /// In the order of the file.
  package let settings: [(key: String, value: String)]
  /// What the run was made from whose config.yaml this is, by name; empty for other recipes.
  package let inputs: [String: String]
  /// What the user should know, one sentence each.
  package let notes: [String]

  /// The folder of the file.
  var folder: String { FileIO.folder(of: path) }

  /// The section of config.yaml that names what a run was made from; not settings.
  package static let inputs = "inputs"
  private static let byteLimit = 1 << 20
  private static let nodeLimit = 100_000

  /// - Throws: ``SettingError`` for malformed YAML, keys named twice, files over 1 MiB, files
  ///   that cannot be read, and keys of mdistiller that cannot be followed.
  package static func read(_ path: String) throws(SettingError) -> Recipe {
    let data: Data
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      throw SettingError(
        .recipe, "\(path) is a folder; expected a YAML file, such as the config.yaml of a run")
    }
    do {
      let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      defer { try? handle.close() }
      data = try handle.read(upToCount: byteLimit + 1) ?? Data()
    } catch {
      let isThere = FileManager.default.fileExists(atPath: path)
      throw SettingError(
        isThere ? .permission : .missingFile,
        "\(path): " + (isThere ? "the recipe cannot be read" : "there is no such recipe file"))
    }
    guard data.count <= byteLimit, let text = String(data: data, encoding: .utf8) else {
      throw SettingError(.recipe, "\(path): a recipe is UTF-8 text of at most 1 MiB")
    }
    return try Recipe(path: path, text: text)
  }

  package init(path: String, text: String) throws(SettingError) {
    self.path = path
    let root: Node?
    do {
      // compose, not load: aliases stay shared, so a bomb of them cannot grow.
      root = try Yams.compose(yaml: text)
    } catch {
      throw SettingError(.recipe, "\(path): not sound YAML: \(Self.reason(error))")
    }
    guard let root else {
      (settings, inputs, notes) = ([], [:], [])
      return
    }
    var found: [(key: String, value: String)] = []
    var visited = 0
    try Self.flatten(root, at: "", into: &found, visited: &visited, path)
    var seen: Set<String> = []
    for (key, _) in found where !seen.insert(key).inserted {
      throw SettingError(.recipe, "\(path): \(key) is set twice; set it once")
    }
    if MdistillerKeys.areUsed(in: found.map(\.key)) {
      let translation = try MdistillerKeys.translate(found, path: path)
      (settings, inputs, notes) = (translation.settings, [:], translation.notes)
      return
    }
    let prefix = Self.inputs + "."
    var inputs: [String: String] = [:]
    for (key, value) in found where key.hasPrefix(prefix) {
      inputs[String(key.dropFirst(prefix.count))] = value
    }
    self.inputs = inputs
    settings = found.filter { $0.key != Self.inputs && !$0.key.hasPrefix(prefix) }
    notes = []
  }

  /// The parser's complaint without the line it quotes, which may be a mebibyte long.
  private static func reason(_ error: any Error) -> String {
    switch error as? YamlError {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      "line \(mark.line), column \(mark.column): \(problem)"
    case .reader(let problem, let offset, _, _):
      "\(problem)\(offset.map { ", byte \($0)" } ?? "")"
    default: String("\(error)".prefix(200))
    }
  }

  private static func flatten(
    _ node: Node, at prefix: String, into found: inout [(key: String, value: String)],
    visited: inout Int, _ path: String
  ) throws(SettingError) {
    visited += 1
    guard visited <= nodeLimit else {
      throw SettingError(.recipe, "\(path): more than \(nodeLimit) values; not a recipe")
    }
    switch node {
    case .scalar(let scalar):
      guard !prefix.isEmpty else {
        throw SettingError(.recipe, "\(path): expected settings such as `epochs: 240`")
      }
      found.append((prefix, scalar.string))
    case .sequence(let sequence):
      guard !prefix.isEmpty else {
        throw SettingError(.recipe, "\(path): a list; expected settings such as `epochs: 240`")
      }
      var items: [String] = []
      for item in sequence {
        guard let text = item.scalar?.string else {
          throw SettingError(.recipe, "\(path): \(prefix) holds a list of more than plain values")
        }
        items.append(text)
      }
      found.append((prefix, items.isEmpty ? "none" : items.joined(separator: ",")))
    case .mapping(let mapping):
      // An empty section is a key all the same, so that an unknown one is refused.
      if mapping.isEmpty, !prefix.isEmpty { found.append((prefix, "")) }
      for (key, value) in mapping {
        guard let name = key.scalar?.string else {
          throw SettingError(.recipe, "\(path): a key under \"\(prefix)\" is not plain text")
        }
        try flatten(
          value, at: prefix.isEmpty ? name : "\(prefix).\(name)", into: &found,
          visited: &visited, path)
      }
    case .alias:
      throw SettingError(.recipe, "\(path): \(prefix) refers to an anchor that does not exist")
    }
  }
}
