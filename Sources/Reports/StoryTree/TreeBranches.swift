package import Runs

/// Which model's probabilities of a story tree are meant.
package enum TreeProbability: Sendable {
  /// The trained model's.
  case policy
  /// The frozen original's.
  case reference
}

/// Two story trees of one prompt as one: branches matched by their tokens, each with its mass on both sides.
///
/// Whatever a file says, masses are probabilities here: each is 0 to 1, and children never exceed their parent.
package struct TreeBranches: Sendable {
  /// What a side knows of a branch.
  package struct Mass: Sendable, Equatable {
    /// The probability after the parent.
    package var conditional: Double
    /// The probability from the prompt on.
    package var path: Double
  }

  /// A token after the prompt or after another branch.
  package struct Branch: Sendable {
    /// The branch that it follows, which stands before it; -1 for the prompt.
    package var parent: Int
    /// How many tokens lie between the prompt and its end, from 1.
    package var depth: Int
    /// The token.
    package var tokenID: Int
    /// What it adds to the text.
    package var text: String
    /// Whether it ends the story.
    package var isEnd: Bool
    /// Its mass before and after; nil where the side's tree lacks it.
    package var masses: [Mass?]
    /// The most that it can have on a side that lacks it: the rest that is not told apart there.
    package var limits: [Double]
    /// Where its children stand.
    package var children: Range<Int> = 0..<0

    /// The larger of its two path probabilities.
    package var weight: Double { max(masses[0]?.path ?? 0, masses[1]?.path ?? 0) }
  }

  /// The most branches that are drawn.
  package static let capacity = 500

  /// The branches: parents before children, level by level, siblings by falling weight.
  package private(set) var branches: [Branch] = []
  /// Where the first tokens after the prompt stand.
  package private(set) var roots: Range<Int> = 0..<0

  /// Matches two trees.
  package init(_ sides: [(tree: StoryTree, probability: TreeProbability)]) {
    var levels = TreeMatching(sides)
    branches = levels.matched()
    keepTheHeaviest()
    findChildren()
    findLimits()
  }

  /// The children of a branch, or the first tokens for -1.
  package func children(of branch: Int) -> Range<Int> { branch < 0 ? roots : branches[branch].children }

  /// The path probability of a branch on a side (1 for the prompt); nil where the side lacks it.
  package func path(_ branch: Int, side: Int) -> Double? { branch < 0 ? 1 : branches[branch].masses[side]?.path }

  /// What of a branch's mass its drawn children do not account for; nil where the side lacks the branch.
  package func other(of branch: Int, side: Int) -> Double? {
    path(branch, side: side).map { mass in
      max(0, children(of: branch).reduce(mass) { $0 - (branches[$1].masses[side]?.path ?? 0) })
    }
  }

  /// How a branch's mass changed: after divided by before.
  package func change(of branch: Int) -> MassChange {
    let branch = branches[branch]
    switch (branch.masses[0]?.path, branch.masses[1]?.path) {
    case (let before?, let after?): return .exactly(after / before)
    case (nil, let after?): return after > branch.limits[0] ? .atLeast(after / branch.limits[0]) : .unknown
    case (let before?, nil): return branch.limits[1] < before ? .atMost(branch.limits[1] / before) : .unknown
    case (nil, nil): return .unknown
    }
  }

  /// The tokens from the first after the prompt to a branch.
  package func line(to branch: Int) -> [Int] {
    var line: [Int] = []
    var branch = branch
    while branch >= 0 {
      line.append(branch)
      branch = branches[branch].parent
    }
    return line.reversed()
  }

  /// How deep it is.
  package var depth: Int { branches.last?.depth ?? 0 }

  // MARK: - Building

  /// Keeps at most ``capacity`` branches. No child outweighs its parent and parents stand first, so none loses its own.
  private mutating func keepTheHeaviest() {
    guard branches.count > Self.capacity else { return }
    let heaviest = branches.indices.sorted { left, right in
      let weights = (branches[left].weight, branches[right].weight)
      return weights.0 == weights.1 ? left < right : weights.0 > weights.1
    }
    let kept = heaviest.prefix(Self.capacity).sorted()
    var places = [Int](repeating: -1, count: branches.count)
    for (place, branch) in kept.enumerated() { places[branch] = place }
    branches = kept.map { index in
      var branch = branches[index]
      if branch.parent >= 0 { branch.parent = places[branch.parent] }
      return branch
    }
  }

  private mutating func findChildren() {
    roots = 0..<(branches.firstIndex { $0.parent >= 0 } ?? branches.count)
    var start = roots.upperBound
    // Level by level in the parents' order, so that siblings stand together.
    while start < branches.count {
      let parent = branches[start].parent
      let end = branches[start...].firstIndex { $0.parent != parent } ?? branches.count
      branches[parent].children = start..<end
      start = end
    }
  }

  private mutating func findLimits() {
    for index in branches.indices {
      let parent = branches[index].parent
      for side in 0..<2 where branches[index].masses[side] == nil {
        branches[index].limits[side] = other(of: parent, side: side) ?? branches[parent].limits[side]
      }
    }
  }
}

/// How a branch's mass changed, as far as both trees tell.
package enum MassChange: Sendable, Equatable {
  /// After divided by before.
  case exactly(Double)
  /// It was not told apart before: it grew at least so much.
  case atLeast(Double)
  /// It is not told apart after: this much is left at most.
  case atMost(Double)
  /// Not told.
  case unknown

  /// The ends of the colour scale: 16 times as probable, and a sixteenth.
  package static let widest = 16.0

  /// Where it stands on the colour scale, -1 (lost) to 1 (gained).
  package var shade: Double {
    let ratio: Double
    switch self {
    case .exactly(let value), .atLeast(let value), .atMost(let value): ratio = value
    case .unknown: return 0
    }
    if ratio.isNaN { return 0 }
    return min(max(PictureText.logarithm(ratio) / PictureText.logarithm(Self.widest), -1), 1)
  }

  /// In a few characters.
  package var text: String {
    switch self {
    case .exactly(let ratio): ratio.isNaN ? "" : PictureText.ratio(ratio)
    case .atLeast(let ratio): ratio.isFinite ? "≥ " + PictureText.ratio(ratio) : "from 0"
    case .atMost(let ratio): ratio > 0 ? "≤ " + PictureText.ratio(ratio) : "to 0"
    case .unknown: ""
    }
  }
}
