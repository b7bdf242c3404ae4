/// The one of `names` that a mistyped name was most likely meant to be; nil where none is near.
package func closestName(to name: String, among names: [String]) -> String? {
  let nearest = names.map { ($0, editDistance(name, $0)) }.min { $0.1 < $1.1 }
  return nearest.flatMap { $0.1 <= max(2, name.count / 3) ? $0.0 : nil }
}

/// Insertions, deletions and replacements that turn `a` into `b` (Levenshtein 1966).
private func editDistance(_ a: String, _ b: String) -> Int {
  let b = Array(b)
  var row = Array(0...b.count)
  for (i, x) in a.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, y) in b.enumerated() {
      let above = row[j + 1]
      row[j + 1] = min(above + 1, row[j] + 1, diagonal + (x == y ? 0 : 1))
      diagonal = above
    }
  }
  return row[b.count]
}
