import Synchronization

/// How much of the work of rewarding was spared.
public struct RewardStatistics: Equatable, Sendable {
  /// Stories asked for, repetitions included.
  public var stories: Int
  /// The sum over the calls of the distinct stories in each.
  public var distinct: Int
  /// Those of ``distinct`` that were known from an earlier call.
  public var cached: Int

  /// Counts, zero to begin with.
  public init(stories: Int = 0, distinct: Int = 0, cached: Int = 0) {
    self.stories = stories
    self.distinct = distinct
    self.cached = cached
  }
}

/// A story by its bytes: `String` would take differently composed characters for the same.
struct StoryKey: Hashable {
  let bytes: [UInt8]

  init(_ story: String) { bytes = Array(story.utf8) }

  func hash(into hasher: inout Hasher) {
    bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
  }
}

/// The rewards of stories seen, within a budget of bytes; may be used from several threads at once.
///
/// There are two generations. When the young one has taken half of the budget it becomes the old one, and what was
/// old and not asked for since is dropped.
final class RewardCache: Sendable {
  private struct State {
    var young: [StoryKey: Float] = [:]
    var old: [StoryKey: Float] = [:]
    var youngBytes = 0
    var statistics = RewardStatistics()
  }

  /// What an entry takes beside its text: an array's header, and a slot of a hash table that may be half empty.
  private static let entryOverhead = 64
  private let generationBudget: Int
  private let state = Mutex(State())

  init(budget: Int) { generationBudget = budget / 2 }

  var statistics: RewardStatistics { state.withLock { $0.statistics } }

  /// The rewards that are known. What the cache keeps depends on the order of the stories and on nothing else.
  func rewards(for stories: [StoryKey]) -> [StoryKey: Float] {
    state.withLock { state in
      var known: [StoryKey: Float] = [:]
      var distinct: Set<StoryKey> = []
      for story in stories where distinct.insert(story).inserted {
        if let reward = state.young[story] {
          known[story] = reward
        } else if let reward = state.old[story] {
          known[story] = reward
          insert(story, reward, into: &state)
        }
      }
      state.statistics.stories += stories.count
      state.statistics.distinct += distinct.count
      state.statistics.cached += known.count
      return known
    }
  }

  /// Keeps the rewards of stories.
  func store(_ rewards: [(StoryKey, Float)]) {
    state.withLock { state in
      for (story, reward) in rewards { insert(story, reward, into: &state) }
    }
  }

  private func insert(_ story: StoryKey, _ reward: Float, into state: inout State) {
    let bytes = story.bytes.count + Self.entryOverhead
    guard bytes <= generationBudget else { return }
    if state.youngBytes + bytes > generationBudget {
      state.old = state.young
      state.young = [:]
      state.youngBytes = 0
    }
    if state.young.updateValue(reward, forKey: story) == nil { state.youngBytes += bytes }
  }
}
