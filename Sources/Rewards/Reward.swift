/// What a story is worth.
public protocol Reward: Sendable {
  /// What the reward measures, in a few words.
  var name: String { get }

  /// One number for each story, in the order of the stories.
  ///
  /// The same story is worth the same at every step and in any company, but for rounding.
  func rewards(for stories: [String]) throws -> [Float]
}
