import Foundation
package import Runs

/// A story whose tokens are coloured by what training did to them.
package struct HeatMap: Sendable {
  /// A token that might have stood in a place.
  struct Alternative: Sendable {
    var text: String
    var tokenID: Int
    /// Its probability before and after.
    var probabilities: [Double]
    /// Whether it is the one that was told.
    var isTold: Bool
  }

  /// A token of the story with what is known of it.
  struct Token: Sendable {
    var tokenID: Int
    var text: String
    /// Whether it ends the story.
    var isEnd: Bool
    /// Nats, under the trained model.
    var logProbability: Double?
    /// Nats, under the reference.
    var referenceLogProbability: Double?
    /// Nats.
    var entropy: Double?
    /// Nats.
    var referenceEntropy: Double?
    var advantage: Double?
    var alternatives: [Alternative] = []

    /// How much likelier it became, nats.
    var logRatio: Double? {
      guard let logProbability, let referenceLogProbability else { return nil }
      let ratio = logProbability - referenceLogProbability
      return ratio.isFinite ? ratio : nil
    }
  }

  /// What tokens are coloured by.
  enum Shading: String, CaseIterable, Sendable {
    case logRatio = "ratio"
    case entropy
    case advantage
  }

  /// The most tokens that are coloured; what follows is plain text.
  static let capacity = 2000
  /// The most alternatives of a token.
  private static let alternativeCount = 10

  let prompt: String
  /// The last words of people in the prompt, where a chat template wrote it.
  let words: String?
  let tokens: [Token]
  /// What follows the tokens: all of the text where its tokens are not known.
  let rest: String
  /// The names of before and after.
  let labels: [String]
  /// Where the alternatives come from, if that needs saying.
  let note: String?
  /// The number at the end of each colour scale.
  let ranges: [Shading: Double]

  /// A followed story, with alternatives before and after.
  ///
  /// - Parameter words: The last words of people in its prompt, where a chat template wrote it.
  package init(story: FollowedStory, words: String? = nil) {
    prompt = story.prompt
    self.words = words
    let count = story.tokens.count
    tokens = story.tokens.prefix(Self.capacity).enumerated().map { index, detail in
      let isEnd = index == count - 1 && story.finishReason == .stop && detail.text.isEmpty
      return Token(
        tokenID: detail.tokenID, text: detail.text, isEnd: isEnd, logProbability: Double(detail.logProbability),
        referenceLogProbability: Double(detail.referenceLogProbability), entropy: Double(detail.entropy),
        referenceEntropy: Double(detail.referenceEntropy),
        alternatives: Self.alternatives(of: detail))
    }
    let told = tokens.reduce(0) { $0 + $1.text.utf8.count }
    rest = tokens.isEmpty ? story.text : count > Self.capacity ? Self.tail(story.text, after: told) : ""
    ranges = Self.ranges(of: tokens)
    labels = ["original", story.step == 0 ? "before training" : "after step \(story.step)"]
    note = nil
  }

  /// A sample; what is not known of its tokens is left out.
  ///
  /// - Parameters:
  ///   - advantages: What each token was pushed by, as ``prefixAdvantages(of:among:)`` says.
  ///   - tree: The prompt's tree, which knows alternatives as far as the sample's path is in it.
  ///   - words: The last words of people in its prompt, where a chat template wrote it.
  package init(sample: SampleRecord, advantages: [Float]?, tree: StoryTree?, words: String? = nil) {
    prompt = sample.prompt
    self.words = words
    labels = ["original", "trained"]
    guard let texts = sample.tokenTexts else {
      tokens = []
      rest = sample.text
      ranges = [:]
      note = "This run did not record which part of the text each token is."
      return
    }
    let count = texts.count
    func values(_ list: [Float]?) -> [Double]? {
      guard let list, list.count == count else { return nil }
      return list.map { Double($0) }
    }
    let policy = values(sample.logProbabilities)
    let reference = values(sample.referenceLogProbabilities)
    let entropies = values(sample.entropies)
    let pushes = values(advantages)
    let fitting = tree.flatMap { $0.prompt == sample.prompt ? $0 : nil }
    let known = fitting.map { Self.alternatives(along: sample.tokenIDs, in: $0) } ?? []
    tokens = texts.prefix(Self.capacity).enumerated().map { index, text in
      let isEnd = index == count - 1 && sample.finishReason == .stop && text.isEmpty
      return Token(
        tokenID: sample.tokenIDs[index], text: text, isEnd: isEnd, logProbability: policy?[index],
        referenceLogProbability: reference?[index], entropy: entropies?[index], referenceEntropy: nil,
        advantage: pushes?[index], alternatives: index < known.count ? known[index] : [])
    }
    ranges = Self.ranges(of: tokens)
    rest = count > Self.capacity ? texts.dropFirst(Self.capacity).joined() : ""
    note = fitting.flatMap { tree in
      known.isEmpty || tree.step == sample.step
        ? nil : "Alternatives are those of the story tree after step \(tree.step)."
    }
  }

  private static func alternatives(of detail: TokenDetail) -> [Alternative] {
    // Which ones are shown must not depend on how many there are: the told one always is.
    let list = detail.alternatives.map { other in
      Alternative(
        text: other.text, tokenID: other.tokenID,
        probabilities: [share(other.referenceProbability), share(other.probability)],
        isTold: other.tokenID == detail.tokenID)
    }
    return chosen(list) {
      Alternative(
        text: detail.text, tokenID: detail.tokenID,
        probabilities: [exp(Double(detail.referenceLogProbability)), exp(Double(detail.logProbability))].map(share),
        isTold: true)
    }
  }

  /// For each token as far as the tree goes, its siblings in it.
  private static func alternatives(along path: [Int], in tree: StoryTree) -> [[Alternative]] {
    var lists = [[Int]](repeating: [], count: tree.nodes.count + 1)
    for (index, node) in tree.nodes.enumerated() where node.parent >= -1 && node.parent < index {
      lists[node.parent + 1].append(index)
    }
    var found: [[Alternative]] = []
    var parent = -1
    for token in path {
      let siblings = lists[parent + 1]
      guard !siblings.isEmpty else { break }
      let list = siblings.map { index in
        let node = tree.nodes[index]
        return Alternative(
          text: node.isEnd ? "" : node.text, tokenID: node.tokenID,
          probabilities: [share(node.referenceProbability), share(node.probability)], isTold: node.tokenID == token)
      }
      found.append(chosen(list) { nil })
      guard let next = siblings.first(where: { tree.nodes[$0].tokenID == token }) else { break }
      parent = next
    }
    return found
  }

  /// The likeliest on either side, the likeliest after first; the told one among them.
  private static func chosen(_ list: [Alternative], told: () -> Alternative?) -> [Alternative] {
    var list = list.sorted { left, right in
      (right.probabilities.max() ?? 0, left.tokenID) < (left.probabilities.max() ?? 0, right.tokenID)
    }
    let toldOne = list.first(where: \.isTold) ?? (list.isEmpty ? nil : told())
    list = Array(list.filter { !$0.isTold }.prefix(alternativeCount - 1))
    if let toldOne { list.append(toldOne) }
    return list.sorted { left, right in
      (right.probabilities[1], left.tokenID) < (left.probabilities[1], right.tokenID)
    }
  }

  private static func share<Value: BinaryFloatingPoint>(_ value: Value) -> Double {
    value > 0 ? Double(min(value, 1)) : 0
  }

  private static func tail(_ text: String, after count: Int) -> String {
    String(decoding: text.utf8.dropFirst(count), as: UTF8.self)
  }
}
