import PolicyGradients
import Transformers

/// The prompts of a step, and how many stories begin with each: story i begins with prompt i / ``groupSize``.
public struct PromptGroups: Sendable, Equatable {
  /// Token ids of each group's prompt; none is empty, and prompts may stand more than once.
  public let prompts: [[Int]]
  /// Stories of a group.
  public let groupSize: Int

  /// Groups of `groupSize` stories each.
  public init(_ prompts: [[Int]], groupSize: Int) {
    precondition(prompts.allSatisfy { !$0.isEmpty }, "a story needs a prompt")
    precondition(groupSize > 0, "a group of \(groupSize) stories")
    self.prompts = prompts
    self.groupSize = groupSize
  }

  /// All stories begin with one prompt.
  public init(_ prompt: [Int]) { self.init([prompt], groupSize: .max) }

  /// The prompt of a story.
  public func prompt(ofStory index: Int) -> [Int] { prompts[index / groupSize] }

  /// The most groups that `count` stories in a row, out of `total`, can belong to.
  static func groupCount(ofStories count: Int, groupSize: Int, of total: Int) -> Int {
    let groups = total < 1 ? 0 : (total - 1) / groupSize + 1
    return min(groups, count < 2 ? count : (count - 2) / groupSize + 2)
  }
}

/// The forest that stories grow from.
///
/// Nodes that nothing is drawn from come first: the prompts' tokens but their last, beginnings shared. Then, without a gap,
/// the last token of each distinct prompt, the roots of what is drawn: from there on each node has a row of logits.
struct PromptForest {
  /// The way from a node to a child.
  private struct Edge: Hashable {
    var parent: Int
    var token: Int
  }

  /// The prompts alone.
  private(set) var tree = TokenTree()
  /// The first node that tokens are drawn from.
  let firstRow: Int
  /// The node of each story's prompt's last token, in the order of the stories.
  let lastNodes: [Int]

  /// The forest of the prompts of some of the stories.
  init(_ groups: PromptGroups, indices: Range<Int>) {
    struct Lead {
      var token: Int
      var parent: Int?
      var sampleCount = 0
    }
    var leads: [Lead] = []
    var edges: [Edge: Int] = [:]
    // Distinct prompts in order of appearance: where each one's lead ends, its last token, its stories.
    var lasts: [Lead] = []
    var places: [[Int]: Int] = [:]
    var storyPlaces: [Int] = []
    var index = indices.lowerBound
    while index < indices.upperBound {
      let group = index / groups.groupSize
      let prompt = groups.prompts[group]
      // Where everything is one group, its end is beyond all integers.
      let (groupEnd, isBeyond) = groups.groupSize.multipliedReportingOverflow(by: group + 1)
      let end = isBeyond ? indices.upperBound : min(indices.upperBound, groupEnd)
      let count = end - index
      var parent: Int?
      for token in prompt.dropLast() {
        let edge = Edge(parent: parent ?? -1, token: token)
        let node = edges[edge] ?? leads.count
        if node == leads.count {
          leads.append(Lead(token: token, parent: parent))
          edges[edge] = node
        }
        leads[node].sampleCount += count
        parent = node
      }
      let place = places[prompt] ?? lasts.count
      if place == lasts.count {
        lasts.append(Lead(token: prompt[prompt.count - 1], parent: parent))
        places[prompt] = place
      }
      lasts[place].sampleCount += count
      storyPlaces += repeatElement(place, count: count)
      index = end
    }
    for node in leads + lasts { tree.append(token: node.token, parent: node.parent, sampleCount: node.sampleCount) }
    let firstRow = leads.count
    self.firstRow = firstRow
    lastNodes = storyPlaces.map { firstRow + $0 }
  }

  /// The forest with finished stories on it, and the path of each through it.
  func appending(_ stories: some Collection<SampledStory>) -> (tree: TokenTree, paths: [SampledPath]) {
    var tree = tree
    var edges: [Edge: Int] = [:]
    let paths = zip(stories, lastNodes).map { story, last in
      var nodes = [last]
      // The last token is drawn, but nothing is drawn after it: it needs no node.
      for token in story.tokens.dropLast() {
        let edge = Edge(parent: nodes[nodes.count - 1], token: token)
        if let node = edges[edge] {
          tree.addSample(at: node)
          nodes.append(node)
        } else {
          let node = tree.append(token: token, parent: edge.parent)
          edges[edge] = node
          nodes.append(node)
        }
      }
      return SampledPath(tokens: story.tokens, nodes: nodes)
    }
    return (tree, paths)
  }
}
