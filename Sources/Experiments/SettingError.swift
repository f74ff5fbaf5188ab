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
  let best = names.map {
    ($0, editDistance(Array(name.lowercased().utf8), Array($0.lowercased().utf8)))
  }
  .min { $0.1 < $1.1 }
  guard let best, best.1 <= max(2, name.count / 3) else { return nil }
  return best.0
}
