import Runs

/// Walks two story trees at once, level by level from the prompt; nodes that the prompt does not lead to are left out.
struct TreeMatching {
  /// A branch and the nodes that stand for it in each tree: one each, more only where a file repeats a token.
  private struct Place {
    var branch: Int
    var nodes: [[Int]]
  }

  private let sides: [(tree: StoryTree, probability: TreeProbability)]
  /// For each tree the children of each node, of the prompt at 0.
  private let children: [[[Int]]]
  private var branches: [TreeBranches.Branch] = []

  init(_ sides: [(tree: StoryTree, probability: TreeProbability)]) {
    self.sides = sides
    children = sides.map { side in
      var lists = [[Int]](repeating: [], count: side.tree.nodes.count + 1)
      for (index, node) in side.tree.nodes.enumerated() where (-1..<side.tree.nodes.count).contains(node.parent) {
        lists[node.parent + 1].append(index)
      }
      return lists
    }
  }

  /// The matched branches: parents before children, level by level, siblings by falling weight and then by token.
  mutating func matched() -> [TreeBranches.Branch] {
    var level = [Place(branch: -1, nodes: sides.map { _ in [-1] })]
    while !level.isEmpty {
      var next: [Place] = []
      for place in level { next += unfold(place) }
      level = next
    }
    return branches
  }

  /// Adds the children of a branch.
  private mutating func unfold(_ place: Place) -> [Place] {
    var nodes: [Int: [[Int]]] = [:]
    for (side, list) in place.nodes.enumerated() {
      for child in list.flatMap({ children[side][$0 + 1] }) {
        nodes[sides[side].tree.nodes[child].tokenID, default: [[], []]][side].append(child)
      }
    }
    let found = nodes.sorted { $0.key < $1.key }
    let totals = (0..<2).map { side in found.reduce(0) { $0 + (conditional($1.value[side], side) ?? 0) } }
    let parent = place.branch < 0 ? nil : branches[place.branch]
    var added = found.map { tokenID, nodes in
      var branch = TreeBranches.Branch(
        parent: place.branch, depth: (parent?.depth ?? 0) + 1, tokenID: tokenID, text: text(nodes),
        isEnd: isEnd(nodes), masses: [nil, nil], limits: [0, 0])
      for side in 0..<2 {
        guard let given = conditional(nodes[side], side) else { continue }
        // Rounding, or a damaged file: children share out what there is.
        let share = given / max(1, totals[side])
        let above = parent.map { $0.masses[side]?.path ?? 0 } ?? 1
        branch.masses[side] = TreeBranches.Mass(conditional: share, path: above * share)
      }
      return (branch: branch, nodes: nodes)
    }
    added.removeAll { $0.branch.weight <= 0 }
    added.sort { ($1.branch.weight, $0.branch.tokenID) < ($0.branch.weight, $1.branch.tokenID) }
    return added.map { branch, nodes in
      branches.append(branch)
      // Nothing follows the end of a text.
      return Place(branch: branches.count - 1, nodes: branch.isEnd ? [[], []] : nodes)
    }
  }

  /// A probability after the parent, 0 to 1; nil where the side lacks the token.
  private func conditional(_ nodes: [Int], _ side: Int) -> Double? {
    nodes.map { index in
      let node = sides[side].tree.nodes[index]
      let value = Double(sides[side].probability == .policy ? node.probability : node.referenceProbability)
      return value > 0 ? min(value, 1) : 0
    }.max()
  }

  private func text(_ nodes: [[Int]]) -> String {
    let texts = nodes.enumerated().flatMap { side, list in list.map { sides[side].tree.nodes[$0].text } }
    return PictureText.clipped(texts.min() ?? "", to: 120)
  }

  private func isEnd(_ nodes: [[Int]]) -> Bool {
    nodes.enumerated().contains { side, list in list.contains { sides[side].tree.nodes[$0].isEnd } }
  }
}
