import Kernels
import Rewards
import Runs
import Tokenizers
import Transformers

/// Shows what a run changes: a few stories told with the same random numbers after some of its steps, and the most probable
/// continuations of its prompts as trees.
struct StoryFollower {
  private let model: TextModel
  private let pair: ModelPair
  private let reward: any Reward
  private let prompts: [ModelPrompt]
  private let maxNewTokens: Int
  private let seed: UInt64
  private let lastStep: Int

  /// Stories told at a step, at least.
  private static let storyCount = 4
  /// Prompts that are followed at the steps between the first and the last; those have all.
  private static let promptsBetween = 4
  /// Their length, at most: enough to see whether the language is intact.
  private static let storyTokens = 32
  /// Tokens that each model is asked for beside the one that was drawn.
  private static let alternativeCount = 5

  /// Follows all prompts before training and after the last step, the first few in between.
  ///
  /// - Parameters:
  ///   - model: what is trained.
  ///   - recipe: the run's settings; trees are no deeper than its stories are long.
  init(
    _ model: TextModel, reference: any LanguageModel, reward: any Reward, prompts: [ModelPrompt], recipe: Recipe
  ) {
    self.model = model
    pair = ModelPair(policy: model.model, reference: reference)
    self.reward = reward
    self.prompts = Array(prompts.prefix(Self.promptLimit(prompts, model.model, recipe)))
    maxNewTokens = recipe.maxNewTokens
    seed = recipe.seed
    lastStep = recipe.steps
  }

  /// How many prompts are followed, so that it costs about a tenth of the run or a few seconds at most: 8 to 256.
  private static func promptLimit(_ prompts: [ModelPrompt], _ model: any LanguageModel, _ recipe: Recipe) -> Int {
    let flops = 2 * Double(model.parameterCount)
    let run = 4 * flops * Double(recipe.steps) * Double(recipe.samples) * Double(recipe.maxNewTokens)
    let length = prompts.reduce(0) { $0 + $1.ids.count } / prompts.count
    let nodes = 2 * length + storyTokens + treeDepth * unfoldedCount
    // Two models, before and after.
    let prompt = 4 * flops * Double(nodes)
    return Int(min(256, max(8, (run / 10 + 1e11) / prompt)))
  }

  /// The prompts that are followed after a step.
  private func prompts(after step: Int, isLast: Bool) -> ArraySlice<ModelPrompt> {
    prompts.prefix(step == 0 || step == lastStep || isLast ? prompts.count : Self.promptsBetween)
  }

  /// Whether stories are told after a step: 0, 4, 8, 16 and so on, since most changes early.
  static func follows(_ step: Int) -> Bool { step & (step - 1) == 0 && step != 1 && step != 2 }

  /// Whether so many stories and trees are all that are told after a step, by this version or by 0.1.0.
  func isWhole(step: Int, stories: Int, trees: Int) -> Bool {
    let followed = prompts(after: step, isLast: false)
    let now = (Self.storiesPerPrompt(prompts) * followed.count, Self.distinct(followed).count)
    let first = prompts.prefix(4)
    let then = (Self.storiesPerPrompt(prompts) * first.count, min(3, Self.distinct(first).count))
    return (stories, trees) == now || (stories, trees) == then
  }

  private static func storiesPerPrompt(_ prompts: [ModelPrompt]) -> Int { max(1, storyCount / prompts.count) }

  /// Tells the stories with the model as it is after `step` updates.
  ///
  /// - Parameter isLast: whether the run ends here.
  /// - Throws: what the reward throws.
  func stories(step: Int, isLast: Bool) throws -> [FollowedStory] {
    let count = Self.storiesPerPrompt(prompts)
    let followed = Array(prompts(after: step, isLast: isLast))
    let room = model.model.contextLength - prompts.reduce(0) { max($0, $1.ids.count) }
    let settings = Storyteller.Settings(maxNewTokens: min(room, Self.storyTokens), seed: seed)
    let told = Storyteller(model).tell(prompts: followed, count: count, settings: settings)
    let storyPrompts = followed.flatMap { repeatElement($0, count: count) }
    let texts = zip(told, storyPrompts).map { model.text(of: $0.tokens, after: $1) }
    let rewards = try reward.rewards(for: zip(storyPrompts, texts).map { $0.lead + $1 })
    // A few at a time: the memory does not grow with the number of prompts.
    let details = stride(from: 0, to: told.count, by: Self.storyCount).flatMap { start in
      let part = start..<min(start + Self.storyCount, told.count)
      return tokenDetails(Array(told[part]), Array(storyPrompts[part]))
    }
    return told.indices.map { index in
      FollowedStory(
        step: step, index: index, prompt: storyPrompts[index].text, text: texts[index], reward: rewards[index],
        finishReason: told[index].isFinished ? .stop : .length, tokens: details[index])
    }
  }

  /// Each token of stories as both models see it.
  private func tokenDetails(_ stories: [SampledStory], _ prompts: [ModelPrompt]) -> [[TokenDetail]] {
    var builder = TokenTreeBuilder()
    var nodes: [Int] = []
    for (story, prompt) in zip(stories, prompts) {
      nodes += builder.insert(prompt.ids + story.tokens.dropLast()).dropFirst(prompt.ids.count - 1).prefix(
        story.tokens.count)
    }
    let tree = builder.tree
    let memory = pair.makeMemory(capacity: tree.count)
    pair.forward(tree, nodes: 0..<tree.count, memory)
    let pieces = zip(stories, prompts).map { model.pieces(of: $0.tokens, after: $1) }.flatMap(\.self)
    let prompts = zip(stories, prompts).flatMap { story, prompt in repeatElement(prompt, count: story.tokens.count) }
    let tokens = stories.flatMap(\.tokens)
    let details = pair.next(at: nodes, tokens: tokens, favouriteCount: Self.alternativeCount, memory) { place, next in
      TokenDetail(
        tokenID: tokens[place], text: pieces[place], logProbability: next.logProbability,
        referenceLogProbability: next.referenceLogProbability, entropy: next.entropy,
        referenceEntropy: next.referenceEntropy,
        alternatives: next.favourites.map { token in
          TokenDetail.Alternative(
            tokenID: token, text: text(token, after: prompts[place]), probability: next.policy[token],
            referenceProbability: next.reference[token])
        })
    }
    var start = 0
    return stories.map { story in
      defer { start += story.tokens.count }
      return Array(details[start..<start + story.tokens.count])
    }
  }

  /// What a token says by itself after a prompt; nothing where it ends the text.
  private func text(_ token: Int, after prompt: ModelPrompt) -> String {
    model.stopTokens.contains(token) ? "" : model.text(of: [token], after: prompt)
  }
}

// MARK: - Trees

extension StoryFollower {
  /// Tokens after the prompt, at most.
  private static let treeDepth = 6
  /// What is less probable than this under both models is not unfolded.
  private static let unfoldedProbability: Float = 0.01
  /// What is less probable than this under both models is left out.
  private static let shownProbability: Float = 0.003
  /// Nodes of a level that are unfolded, at most.
  private static let unfoldedCount = 24
  /// Favourites of each model that are looked at below a node.
  private static let childCount = 12

  /// A node that may be unfolded.
  private struct Leaf {
    /// Its place among the nodes of the story tree, -1 for the prompt.
    var node: Int
    /// What it says.
    var token: Int
    /// The node of the tree of tokens that it follows.
    var parent: Int
    /// The larger of the probabilities of its path under the two models.
    var weight: Float
    var policyPath: Float
    var referencePath: Float
  }

  /// The trees of the prompts with the model as it is after `step` updates.
  ///
  /// - Parameter isLast: whether the run ends here.
  func trees(step: Int, isLast: Bool) -> [StoryTree] {
    Self.distinct(prompts(after: step, isLast: isLast)).map { tree(step: step, prompt: $0) }
  }

  private static func distinct(_ prompts: ArraySlice<ModelPrompt>) -> [ModelPrompt] {
    var seen: Set<[Int]> = []
    return prompts.filter { seen.insert($0.ids).inserted }
  }

  private func tree(step: Int, prompt: ModelPrompt) -> StoryTree {
    var tokens = TokenTree()
    var result = StoryTree(step: step, prompt: prompt.text, nodes: [])
    let depth = min(maxNewTokens, Self.treeDepth)
    let memory = pair.makeMemory(capacity: prompt.ids.count + Self.unfoldedCount * depth)
    let last = tokens.appendChain(prompt.ids).upperBound - 1
    pair.forward(tokens, nodes: 0..<tokens.count, memory)
    var level = [
      (leaf: Leaf(node: -1, token: -1, parent: -1, weight: 1, policyPath: 1, referencePath: 1), place: last)
    ]
    for _ in 0..<depth where !level.isEmpty {
      let leaves = children(of: level, prompt, memory, &result).sorted { ($1.weight, $0.node) < ($0.weight, $1.node) }
      let start = tokens.count
      level = leaves.prefix(Self.unfoldedCount).compactMap { leaf in
        guard leaf.weight >= Self.unfoldedProbability, !model.stopTokens.contains(leaf.token) else { return nil }
        return (leaf, tokens.append(token: leaf.token, parent: leaf.parent))
      }
      pair.forward(tokens, nodes: start..<tokens.count, memory)
    }
    return result
  }

  /// Adds the children of a level to the story tree.
  private func children(
    of level: [(leaf: Leaf, place: Int)], _ prompt: ModelPrompt, _ memory: ModelPair.Memory, _ result: inout StoryTree
  ) -> [Leaf] {
    let found = pair.next(
      at: level.map(\.place), tokens: level.map { _ in 0 }, favouriteCount: Self.childCount, memory
    ) { index, next -> [(node: StoryTree.Node, leaf: Leaf)] in
      let (leaf, place) = level[index]
      return next.favourites.compactMap { token in
        let policyPath = leaf.policyPath * next.policy[token]
        let referencePath = leaf.referencePath * next.reference[token]
        let weight = max(policyPath, referencePath)
        guard weight >= Self.shownProbability else { return nil }
        let node = StoryTree.Node(
          parent: leaf.node, tokenID: token, text: text(token, after: prompt), probability: next.policy[token],
          referenceProbability: next.reference[token], isEnd: model.stopTokens.contains(token))
        return (
          node,
          Leaf(
            node: -1, token: token, parent: place, weight: weight, policyPath: policyPath,
            referencePath: referencePath)
        )
      }
    }
    return found.flatMap(\.self).map { node, leaf in
      var leaf = leaf
      leaf.node = result.nodes.count
      result.nodes.append(node)
      return leaf
    }
  }
}
