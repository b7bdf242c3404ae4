public import Kernels
public import Transformers

/// A story as it was sampled.
public struct SampledStory: Sendable, Equatable {
  /// The tokens after the prompt, the end-of-text among them when it was sampled.
  public var tokens: [Int] = []
  /// Sum of the tokens' log-probabilities under the unfiltered model, in nats.
  public var logProbability = 0.0
  /// Whether the story ended itself, by one of the tokens that end a text.
  public var isFinished = false
  /// The tree node whose distribution each token was drawn from.
  var nodes: [Int] = []
}

/// Samples stories from a model, growing a token tree a level at a time.
///
/// Stories that have drawn the same tokens so far share a node: its hidden state is computed once, and all that follow
/// draw from its one distribution. Each story's random numbers are its own, keyed by (story, position), so that what
/// it becomes does not depend on which stories are sampled beside it.
public struct Rollout {
  /// The tree of all prefixes that tokens were drawn from.
  public private(set) var tree = TokenTree()
  /// The first node that tokens were drawn from; those before it are the prompts' tokens but their last.
  public let firstRow: Int
  /// The stories, in the order of their indices.
  public private(set) var stories: [SampledStory] = []

  /// Samples one story for each of `indices`.
  ///
  /// - Parameters:
  ///   - groups: what the stories begin with.
  ///   - indices: which stories; they key the random numbers.
  ///   - maxNewTokens: length of a story after the prompt, at most.
  ///   - stopTokens: the tokens that end a story; each belongs to it.
  ///   - filter: what is done to logits before a token is drawn.
  ///   - random: numbers of this step.
  ///   - activations: memory for ``nodeCapacity(promptLength:stories:maxNewTokens:)`` nodes; afterwards it holds the
  ///     whole tree, ready for a backward pass.
  ///   - keptLogits: memory in which the logits of the first prefixes stay afterwards, as many as fit; only where the
  ///     filter changes nothing.
  ///   - report: called after each level with the tokens drawn there, in the order of `indices`, nil for a finished
  ///     story.
  public init(
    _ model: any LanguageModel, groups: PromptGroups, indices: Range<Int>, maxNewTokens: Int, stopTokens: Set<Int>,
    filter: SamplingFilter = SamplingFilter(), random: KeyedRandom, activations: Activations,
    keptLogits: UnsafeMutableBufferPointer<Float>? = nil, report: (([Int?]) throws -> Void)? = nil
  ) rethrows {
    precondition(keptLogits == nil || filter.isIdentity, "filtered logits are not those of the model")
    let forest = PromptForest(groups, indices: indices)
    tree = forest.tree
    firstRow = forest.firstRow
    stories = [SampledStory](repeating: SampledStory(), count: indices.count)
    model.forward(tree, activations: activations)
    let numbers = indices.map { random.keyed($0) }
    // The nodes to draw from, one after the other, and the stories that stand at each.
    var frontierStart = forest.firstRow
    var frontier = [[Int]](repeating: [], count: tree.count - frontierStart)
    for (story, node) in forest.lastNodes.enumerated() { frontier[node - frontierStart].append(story) }
    for position in 0..<maxNewTokens where !frontier.isEmpty {
      let drawn = (frontierStart - firstRow) * model.vocabularySize
      let draws = draw(
        model, frontierStart, frontier, position: position, numbers: numbers, filter: filter, activations: activations,
        keptLogits: keptLogits.map { .init(rebasing: $0.dropFirst(drawn)) })
      var level = report == nil ? [] : [Int?](repeating: nil, count: indices.count)
      let start = tree.count
      var next: [[Int]] = []
      for (index, draws) in draws.enumerated() {
        let node = frontierStart + index
        var last: Int?
        for draw in draws {
          stories[draw.story].tokens.append(draw.token)
          stories[draw.story].nodes.append(node)
          stories[draw.story].logProbability += Double(draw.logProbability)
          if report != nil { level[draw.story] = draw.token }
          if stopTokens.contains(draw.token) {
            stories[draw.story].isFinished = true
          } else if position + 1 < maxNewTokens {
            if draw.token == last {
              next[next.count - 1].append(draw.story)
              tree.addSample(at: tree.count - 1)
            } else {
              tree.append(token: draw.token, parent: node)
              next.append([draw.story])
              last = draw.token
            }
          }
        }
      }
      try report?(level)
      frontier = next
      frontierStart = start
      model.forward(tree, nodes: start..<tree.count, activations: activations)
    }
  }

  /// Samples stories that all begin with one prompt, which is not empty; see the other initialiser.
  public init(
    _ model: any LanguageModel, prompt: [Int], indices: Range<Int>, maxNewTokens: Int, stopTokens: Set<Int>,
    filter: SamplingFilter = SamplingFilter(), random: KeyedRandom, activations: Activations,
    keptLogits: UnsafeMutableBufferPointer<Float>? = nil, report: (([Int?]) throws -> Void)? = nil
  ) rethrows {
    try self.init(
      model, groups: PromptGroups(prompt), indices: indices, maxNewTokens: maxNewTokens, stopTokens: stopTokens,
      filter: filter, random: random, activations: activations, keptLogits: keptLogits, report: report)
  }

  /// The most nodes that a roll-out can have, whose prompts have `promptLength` tokens together.
  public static func nodeCapacity(promptLength: Int, stories: Int, maxNewTokens: Int) -> Int {
    promptLength + stories * (maxNewTokens - 1)
  }

  private struct Draw: Sendable {
    var story: Int
    var token = 0
    var logProbability: Float = 0
  }

  /// Draws a token for each story; within a node they come in ascending order of the tokens.
  private func draw(
    _ model: any LanguageModel, _ start: Int, _ frontier: [[Int]], position: Int, numbers: [KeyedRandom],
    filter: SamplingFilter, activations: Activations, keptLogits: UnsafeMutableBufferPointer<Float>?
  ) -> [[Draw]] {
    var draws: [[Draw]] = []
    var uniforms: [[Double]] = []
    for stories in frontier {
      let keyed = stories.map { (story: $0, number: numbers[$0].keyed(position).uniform) }
        .sorted { ($0.number, $0.story) < ($1.number, $1.story) }
      draws.append(keyed.map { Draw(story: $0.story) })
      uniforms.append(keyed.map(\.number))
    }
    let vocabularySize = model.vocabularySize
    draws.withUnsafeMutableBufferPointer { draws in
      // Each row has its own element.
      nonisolated(unsafe) let draws = draws
      let hidden = Floats(activations.hidden.pointer + start * model.hiddenSize)
      model.head.forEachRow(hidden, rows: frontier.count, keepingIn: keptLogits) { row, logits in
        let normalizer = filter.isIdentity ? nil : logSumExp(logits, count: vocabularySize)
        let original = normalizer.map { _ in Array(UnsafeBufferPointer(start: logits, count: vocabularySize)) }
        if normalizer != nil { filter.apply(to: logits, count: vocabularySize) }
        drawTokens(logits, count: vocabularySize, uniforms: uniforms[row]) { index, token, logProbability in
          draws[row][index].token = token
          if let original, let normalizer {
            draws[row][index].logProbability = original[token] - normalizer
          } else {
            draws[row][index].logProbability = logProbability
          }
        }
      }
    }
    return draws
  }
}
