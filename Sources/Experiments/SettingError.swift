import Networks

/// A setting that is unknown, malformed or contradictory.
package struct SettingError: Error, CustomStringConvertible, Sendable {
  package enum Kind: Sendable {
    /// A flag or `--set` key.
    case usage
    /// The contents of a recipe file.
    case recipe
    /// A recipe file that is not there, or not for this user.
    case missingFile, permission
  }
  package let kind: Kind
  package let description: String
  /// The settings that it is about, where a flag or a recipe may have said them.
  let keys: [String]

  package init(_ kind: Kind, _ description: String, about keys: [String] = []) {
    self.kind = kind
    self.description = description
    self.keys = keys
  }
}

/// The known name with the smallest edit distance, if it is close enough to be a slip.
package func nearestName(to name: String, among names: [String]) -> String? {
  guard let best = nearest(to: name, in: names, limit: 1).first else { return nil }
  let distance = editDistance(Array(name.lowercased().utf8), Array(best.lowercased().utf8))
  return distance <= max(2, name.count / 3) ? best : nil
}
