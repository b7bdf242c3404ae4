/// What a story is worth.
public protocol Reward: Sendable {
  /// What the reward measures, in a few words.
  var name: String { get }

  /// One number for each story, in the order of the stories.
  ///
  /// The same story is worth the same at every step and in any company, but for rounding.
  func rewards(for stories: [String]) throws -> [Float]

  /// The number of stories that the reward judges by their beginning only, since they are longer than it reads.
  func truncatedCount(of stories: [String]) -> Int

  /// The reason why nothing of what follows a text would be rewarded, in words; nil where it would.
  func obstacle(after text: String) -> String?
}

extension Reward {
  /// None: a reward reads whole stories, unless it says otherwise.
  public func truncatedCount(of stories: [String]) -> Int { 0 }

  /// None.
  public func obstacle(after text: String) -> String? { nil }
}
