extension StoryTreePicture {
  /// How much of what may follow holds a token, as far as both trees tell.
  package struct Holding: Equatable {
    /// The token.
    package var label: String
    /// The mass of the continuations with the token in them, 0 to 1.
    package var before: Double
    /// The same after.
    package var after: Double

    /// How much more it became.
    package var gain: Double { after - before }
  }

  /// The token that gained most and the one that lost most; nil for changes of less than 2 in 100.
  package var movers: (gained: Holding?, lost: Holding?) {
    var holdings: [Int: (first: Int, holding: Holding)] = [:]
    for (index, branch) in branches.branches.enumerated() {
      guard let before = branch.masses[0]?.path, let after = branch.masses[1]?.path else { continue }
      // What a token leads to is counted already where the token comes again.
      let line = branches.line(to: branch.parent)
      if line.contains(where: { branches.branches[$0].tokenID == branch.tokenID }) { continue }
      var known = holdings[branch.tokenID] ?? (index, Holding(label: label(of: index), before: 0, after: 0))
      known.holding.before += before
      known.holding.after += after
      holdings[branch.tokenID] = known
    }
    let ordered = holdings.values.sorted { $0.first < $1.first }.map(\.holding)
    let gained = ordered.max { $0.gain < $1.gain }
    let lost = ordered.min { $0.gain < $1.gain }
    return (gained.flatMap { $0.gain >= 0.02 ? $0 : nil }, lost.flatMap { $0.gain <= -0.02 ? $0 : nil })
  }

  /// What moved as far as the trees reach, in a sentence; nil where little did.
  ///
  /// Trees end after a few tokens and leave out what is improbable: more of the completions may hold a token.
  var reach: String? {
    let (gained, lost) = movers
    let parts = [gained, lost].compactMap(\.self).enumerated().map { index, mover in
      let before = PictureText.percent(mover.before) + (index == 0 ? " of the completions" : "")
      return
        "“\(isolated(mover.label))” was in at least \(before) and is now in at least \(PictureText.percent(mover.after))"
    }
    return parts.isEmpty ? nil : "As far as this tree reaches, \(parts.joined(separator: "; "))."
  }
}
