/// The cosine of the angle between a story's embedding and that of a text: 1 for the same text, about 0 for one
/// that has nothing to do with it.
public struct SimilarityReward: Reward {
  /// What the stories are compared with.
  public let target: String
  private let embedder: SentenceEmbedder
  private let direction: [Float]
  private let cache: RewardCache

  /// A reward for stories that are like `target`.
  ///
  /// - Parameters:
  ///   - target: a word or a text.
  ///   - embedder: what turns texts into vectors.
  ///   - cacheBudget: the bytes that the rewards of earlier stories may take; 0 keeps none.
  /// - Throws: ``RewardError/emptyTarget`` where `target` has nothing but white space; what embedding throws.
  public init(toward target: String, embedder: SentenceEmbedder, cacheBudget: Int = 64 << 20) throws {
    guard target.contains(where: { !$0.isWhitespace }) else { throw RewardError.emptyTarget }
    self.target = target
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
    var places: [StoryKey: Int] = [:]
    var missing: [Int] = []
    for (index, key) in keys.enumerated() where known[key] == nil && places[key] == nil {
      places[key] = missing.count
      missing.append(index)
    }
    for (index, embedding) in zip(missing, try embedder.embed(missing.map { stories[$0] })) {
      known[keys[index]] = cosine(embedding)
    }
    cache.store(missing.map { (keys[$0], known[keys[$0], default: 0]) })
    return keys.map { known[$0, default: 0] }
  }

  /// The cosine with the target; rounding must not lead out of -1...1.
  private func cosine(_ embedding: [Float]) -> Float {
    let product = zip(normalized(embedding), direction).reduce(Float(0)) { $0 + $1.0 * $1.1 }
    return min(1, max(-1, product))
  }
}
