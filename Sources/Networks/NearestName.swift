/// The names that need the fewest insertions, deletions and substitutions to become `name`
/// (Levenshtein, of small letters), at most `limit`, nearest first; only those at the least distance or
/// one more.
package func nearest(to name: String, in names: [String], limit: Int = 3) -> [String] {
  let target = Array(name.lowercased().utf8)
  let ranked = names.enumerated()
    .map { (distance: editDistance(target, Array($1.lowercased().utf8)), index: $0, name: $1) }
    .sorted { ($0.distance, $0.index) < ($1.distance, $1.index) }
  guard let least = ranked.first?.distance else { return [] }
  return ranked.prefix(limit).filter { $0.distance <= least + 1 }.map(\.name)
}

/// Levenshtein's distance in bytes: insertions, deletions and substitutions.
package func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
  var row = Array(0...right.count)
  for (i, a) in left.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, b) in right.enumerated() {
      let substituted = diagonal + (a == b ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(substituted, diagonal + 1, row[j] + 1)
    }
  }
  return row[right.count]
}
