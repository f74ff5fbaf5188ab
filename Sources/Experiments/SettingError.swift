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

  package init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}

/// The known name with the smallest edit distance, if it is close enough to be a slip.
package func nearestName(to name: String, among names: [String]) -> String? {
  let best = names.map { ($0, editDistance(name.lowercased(), $0.lowercased())) }
    .min { $0.1 < $1.1 }
  guard let best, best.1 <= max(2, name.count / 3) else { return nil }
  return best.0
}

/// Levenshtein's distance: insertions, deletions and replacements of characters.
private func editDistance(_ a: String, _ b: String) -> Int {
  let b = Array(b)
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, y) in b.enumerated() {
      let above = row[j + 1]
      row[j + 1] = x == y ? diagonal : 1 + min(diagonal, above, row[j])
      diagonal = above
    }
  }
  return row[b.count]
}
