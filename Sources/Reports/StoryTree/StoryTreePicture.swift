package import Runs

/// What a model may say after a prompt, before and after: two icicles in which one sees the probability move.
///
/// Each column is the next token; a box is as high as its path from the prompt is probable, in the same order on both
/// sides, and coloured by how that changed. What the trees do not tell apart is left pale, so a column adds up to 1.
package struct StoryTreePicture: Sendable {
  /// One half of the picture.
  package struct Side: Sendable {
    /// What stands above it, such as "before training".
    package var label: String
    /// The tree.
    package var tree: StoryTree
    /// Whose probabilities are drawn.
    package var probability: TreeProbability

    /// One half.
    package init(label: String, tree: StoryTree, probability: TreeProbability) {
      self.label = label
      self.tree = tree
      self.probability = probability
    }
  }

  /// Both trees as one.
  package let branches: TreeBranches
  let labels: [String]
  let prompt: String
  /// The last words of people in the prompt, where a chat template wrote it.
  let words: String?
  /// What moved among the prompt's completions, where they were counted.
  private let counted: String?

  /// What moved, in a sentence: among the completions, or as far as the trees reach; nil where little did.
  package var finding: String? { counted ?? reach }

  /// The trees of one prompt; branches are matched by their tokens, and what one side lacks counts to its rest.
  ///
  /// - Parameters:
  ///   - words: The last words of people in the prompt, where a chat template wrote it.
  ///   - finding: What moved among the prompt's completions, where they were counted.
  package init(before: Side, after: Side, words: String? = nil, finding: String? = nil) {
    self.words = words
    counted = finding
    let sides = [before.completed(from: after), after.completed(from: before)]
    branches = TreeBranches(sides.map { ($0.tree, $0.probability) })
    labels = [before.label, after.label].map { PictureText.clipped($0, to: 80) }
    prompt = after.tree.prompt
  }

  /// What there is to say of a box.
  struct Reading {
    /// The token, or "other".
    var label: String
    /// Its path probability on this side.
    var path: Double
    /// How that changed, in a few characters; empty where it did not.
    var change: String
    /// The colour, -1 (lost) to 1 (gained); nil for what is not told apart.
    var shade: Double?
  }

  /// What there is to say of a box on a side.
  func reading(_ box: TreeLayout.Box, side: Int) -> Reading {
    guard let branch = box.branch else {
      return Reading(label: "other", path: branches.other(of: box.parent, side: side) ?? 0, change: "", shade: nil)
    }
    let change = branches.change(of: branch)
    let text = change.text
    return Reading(
      label: label(of: branch), path: branches.path(branch, side: side) ?? 0,
      change: text == "×1.0" || text == "÷1.0" ? "" : text, shade: change.shade)
  }

  /// A branch's token, with the space before it only where a sibling differs by nothing else.
  func label(of branch: Int) -> String {
    let this = branches.branches[branch]
    let bare = this.text.drop { $0 == " " }
    let twin = branches.children(of: this.parent).contains { other in
      other != branch && branches.branches[other].text.drop { $0 == " " } == bare
    }
    return PictureText.label(this.text, tokenID: this.tokenID, isEnd: this.isEnd, keepsSpace: twin)
  }

  /// All numbers of a box in a few lines.
  func details(_ box: TreeLayout.Box) -> String {
    func numbers(_ name: String, _ values: [String]) -> String {
      "\(name): \(values[0]) \(labels[0]), \(values[1]) \(labels[1])"
    }
    guard let branch = box.branch else {
      let rests = (0..<2).map { side in
        branches.other(of: box.parent, side: side).map(PictureText.exactPercent) ?? "–"
      }
      return numbers("other tokens, not told apart", rests)
    }
    let this = branches.branches[branch]
    let line = branches.line(to: branch).suffix(16).map { branches.branches[$0].text }.joined()
    let masses = (0..<2).map { side in
      this.masses[side].map { PictureText.exactPercent($0.path) }
        ?? "not told apart (at most \(PictureText.exactPercent(this.limits[side])))"
    }
    let conditionals = this.masses.map { $0.map { PictureText.exactPercent($0.conditional) } ?? "–" }
    let change = branches.change(of: branch).text
    return [
      "…\(PictureText.clipped(line, to: 160))\(this.isEnd ? " ∎ end" : "")",
      numbers("from the prompt", masses) + (change.isEmpty ? "" : ", \(change)"),
      numbers("after the token before", conditionals),
    ].joined(separator: "\n")
  }
}

extension StoryTreePicture.Side {
  /// This side with what the other side's tree says of the frozen original, where this side shows nothing else.
  ///
  /// Before the first update the trained model is the original. A tree of that time lacks what training found later,
  /// such as the cat; the later tree knows how probable that was to begin with.
  fileprivate func completed(from other: Self) -> Self {
    let isOriginal =
      probability == .reference
      || tree.nodes.allSatisfy { abs($0.probability - $0.referenceProbability) <= 1e-4 * abs($0.referenceProbability) }
    guard isOriginal, !tree.nodes.isEmpty, tree.prompt == other.tree.prompt, tree != other.tree else { return self }
    var result = self
    result.probability = .reference
    // Branches that both trees have are matched by their tokens.
    result.tree.nodes += other.tree.nodes.map { node in
      var node = node
      let isInside = other.tree.nodes.indices.contains(node.parent)
      node.parent = isInside ? node.parent + tree.nodes.count : node.parent == -1 ? -1 : Int.min
      return node
    }
    return result
  }
}
