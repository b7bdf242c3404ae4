package import Runs

/// What a model may say after a prompt, before and after: two icicles in which one sees the probability move.
///
/// Each column is the next token; a box is as high as its path from the prompt is probable, in the same order on both sides,
/// and coloured by how that changed. What the trees do not tell apart is left pale, so that all of a column adds up to 1.
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

  /// The trees of one prompt; branches are matched by their tokens, and what one side lacks counts to its rest.
  package init(before: Side, after: Side) {
    branches = TreeBranches([(before.tree, before.probability), (after.tree, after.probability)])
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
