/// The cosine of the angle between a story's embedding and that of a text: 1 for the same text, about 0 for one
/// that has nothing to do with it.
public struct SimilarityReward: Reward {
  /// What the stories are compared with.
  public let target: String
  private let embedder: SentenceEmbedder
  private let direction: [Float]
  private let blankReward: Float?
  private let cache: RewardCache

  /// A reward for stories that are like `target`.
  ///
  /// - Parameters:
  ///   - target: a word or a text.
  ///   - embedder: what turns texts into vectors.
  ///   - blankReward: The reward of a text that has no word for the embedder, such as an empty one; nil takes the cosine, which for
  ///     an empty text is that of the embedding of nothing, and often higher than that of a text about something else.
  ///   - cacheBudget: the bytes that the rewards of earlier stories may take; 0 keeps none.
  /// - Throws: ``RewardError/emptyTarget`` where `target` has nothing but white space; what embedding throws.
  public init(
    toward target: String, embedder: SentenceEmbedder, blankReward: Float? = nil, cacheBudget: Int = 64 << 20
  ) throws {
    guard target.contains(where: { !$0.isWhitespace }), !embedder.isBlank(target) else {
      throw RewardError.emptyTarget
    }
    self.target = target
    self.blankReward = blankReward
    self.embedder = embedder
    direction = normalized(try embedder.embed([target]).first ?? [])
    cache = RewardCache(budget: cacheBudget)
  }

  /// What the reward measures.
  public var name: String { "similarity to \"\(target)\"" }

  /// How many stories were asked for, and how many of them were known.
  public var statistics: RewardStatistics { cache.statistics }

  /// The cosine for each story, from -1 to 1. A story is embedded once, whatever the number of times and of steps
  /// it comes in, as long as the cache's budget lasts.
  public func rewards(for stories: [String]) throws -> [Float] {
    let keys = stories.map(StoryKey.init)
    var known = cache.rewards(for: keys)
    var missing: [StoryKey: String] = [:]
    var order: [StoryKey] = []
    for (key, story) in zip(keys, stories) where known[key] == nil {
      if missing.updateValue(story, forKey: key) == nil { order.append(key) }
    }
    for (key, embedding) in zip(order, try embedder.embed(order.map { missing[$0, default: ""] })) {
      known[key] = reward(of: missing[key, default: ""], embedding)
    }
    cache.store(order.map { ($0, known[$0, default: 0]) })
    return keys.map { known[$0, default: 0] }
  }

  /// The number of stories that are longer than the embedder reads.
  public func truncatedCount(of stories: [String]) -> Int { stories.count(where: embedder.isTruncated) }

  /// Says so where a text fills the embedder's limit by itself.
  public func obstacle(after text: String) -> String? {
    let limit = embedder.tokenLimit - 2
    guard text.utf8.count >= limit else { return nil }
    let count = embedder.pieceCount(of: text)
    guard count >= limit else { return nil }
    return
      "the reward model reads \(limit) word pieces, and the prompt has \(count): nothing of what follows would be rewarded"
  }

  /// Takes over the rewards of an earlier run's step as if they had just been computed.
  ///
  /// A resumed run that takes over all earlier steps, in their order, knows what one that was never interrupted knows.
  /// It gives the same bits even with Accelerate, where the last ones depend on the stories that are computed together.
  public func recall(_ stories: [String], rewards: [Float]) {
    let keys = stories.map(StoryKey.init)
    let known = cache.rewards(for: keys)
    var seen: Set<StoryKey> = []
    cache.store(zip(keys, rewards).filter { known[$0.0] == nil && seen.insert($0.0).inserted })
  }

  private func reward(of text: String, _ embedding: [Float]) -> Float {
    guard let blankReward, embedder.isBlank(text) else { return cosine(embedding) }
    return blankReward
  }

  /// The cosine with the target; rounding must not lead out of -1...1.
  private func cosine(_ embedding: [Float]) -> Float {
    let product = zip(normalized(embedding), direction).reduce(Float(0)) { $0 + $1.0 * $1.1 }
    return min(1, max(-1, product))
  }
}
