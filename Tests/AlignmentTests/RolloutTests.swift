import Alignment
import Foundation
import Kernels
import Testing
import Transformers

struct RolloutTests {
  @Test func `a story does not depend on which others are sampled beside it`() throws {
    let model = try randomModel(vocabularySize: 40)
    let whole = rollout(model, prompt: [3, 1], indices: 0..<60, maxNewTokens: 6).stories
    #expect(Set(whole.map(\.tokens)).count > 20)
    for indices in [0..<1, 13..<14, 7..<20, 30..<60] {
      let some = rollout(model, prompt: [3, 1], indices: indices, maxNewTokens: 6).stories
      #expect(some.map(\.tokens) == whole[indices].map(\.tokens))
    }
    for size in [1, 7, 32] {
      let parts = stride(from: 0, to: 60, by: size).flatMap {
        rollout(model, prompt: [3, 1], indices: $0..<min(60, $0 + size), maxNewTokens: 6).stories
      }
      #expect(parts.map(\.tokens) == whole.map(\.tokens), "parts of \(size)")
    }
    #expect(rollout(model, prompt: [3, 1], indices: 0..<60, maxNewTokens: 6, seed: 2).stories != whole)
  }

  @Test func `a longer story begins as the shorter one`() throws {
    let model = try randomModel(vocabularySize: 12)
    let short = rollout(model, prompt: [5], indices: 0..<20, maxNewTokens: 3).stories
    let long = rollout(model, prompt: [5], indices: 0..<20, maxNewTokens: 9).stories
    #expect(long.map { Array($0.tokens.prefix(3)) } == short.map(\.tokens))
  }

  @Test func `the tree holds each prefix that a token was drawn from, once`() throws {
    let prompt = [2, 0, 4]
    for (endOfText, maxNewTokens) in [(nil, 4), (6, 5), (6, 1)] as [(Int?, Int)] {
      let model = try randomModel(vocabularySize: 7)
      let rollout = rollout(
        model, prompt: prompt, indices: 0..<200, maxNewTokens: maxNewTokens,
        stopTokens: Set([endOfText].compactMap(\.self)))
      let tree = rollout.tree
      var visits: [[Int]: Int] = [:]
      for story in rollout.stories {
        let sequence = prompt + story.tokens
        for length in 1..<sequence.count { visits[Array(sequence.prefix(length)), default: 0] += 1 }
      }
      #expect(tree.count == visits.count)
      for node in 0..<tree.count {
        #expect(Int(tree.parents[node]) < node && (tree.parents[node] >= 0) == (node > 0))
        let path = tree.path(to: node)
        #expect(Int(tree.positions[node]) == path.count - 1)
        #expect(visits[path.map { Int(tree.tokens[$0]) }] == Int(tree.sampleCounts[node]))
      }
      // Level by level, all stories that are not over.
      for position in 0..<prompt.count + maxNewTokens - 1 {
        let nodes = (0..<tree.count).filter { Int(tree.positions[$0]) == position }
        let active = rollout.stories.count { prompt.count + $0.tokens.count > position + 1 }
        #expect(nodes.reduce(0) { $0 + Int(tree.sampleCounts[$1]) } == active)
      }
      #expect(tree.count <= Rollout.nodeCapacity(promptLength: 3, stories: 200, maxNewTokens: maxNewTokens))
    }
  }

  @Test func `the end of text ends a story, and is its last token`() throws {
    let model = try randomModel(vocabularySize: 7)
    let stories = rollout(model, prompt: [1], indices: 0..<300, maxNewTokens: 8, stopTokens: [6]).stories
    #expect(stories.contains { $0.isFinished } && stories.contains { !$0.isFinished })
    for story in stories {
      #expect(story.isFinished == (story.tokens.last == 6))
      #expect(!story.tokens.dropLast().contains(6))
      #expect(story.isFinished || story.tokens.count == 8)
    }
    let endless = rollout(model, prompt: [1], indices: 0..<300, maxNewTokens: 8).stories
    #expect(endless.allSatisfy { $0.tokens.count == 8 && !$0.isFinished })
    #expect(zip(endless, stories).allSatisfy { $0.tokens.starts(with: $1.tokens) })
  }

  @Test(arguments: [SamplingFilter(), SamplingFilter(temperature: 0.5), SamplingFilter(topK: 4, topP: 0.8)])
  func `log-probabilities are those that the scorer gives`(filter: SamplingFilter) throws {
    let model = try randomModel(vocabularySize: 30)
    let prompt = [4, 9, 2]
    let stories = rollout(
      model, prompt: prompt, indices: 0..<50, maxNewTokens: 7, stopTokens: [3], filter: filter
    ).stories
    let scores = Scorer(model).logProbabilities(of: stories.map { prompt + $0.tokens })
    for (story, scores) in zip(stories, scores) {
      let sum = scores.dropFirst(prompt.count).reduce(0.0) { $0 + Double($1 ?? .nan) }
      #expect(abs(sum - story.logProbability) < 1e-5 * max(1, abs(sum)))
    }
  }

  @Test func `drawn tokens follow the softmax`() throws {
    let model = try randomModel(vocabularySize: 7)
    let count = 20_000
    let stories = rollout(model, prompt: [0, 5], indices: 0..<count, maxNewTokens: 2).stories
    var draws: [[Int]: Int] = [:]
    for story in stories { draws[story.tokens, default: 0] += 1 }
    var statistic = 0.0
    var cells = 0
    let first = model.nextLogProbabilities([0, 5])
    for a in 0..<7 {
      let second = model.nextLogProbabilities([0, 5, a])
      for b in 0..<7 {
        let expected = Double(count) * exp(first[a] + second[b])
        let difference = Double(draws[[a, b]] ?? 0) - expected
        // Cells that are nearly empty have no chi-square distribution: a bound of their own.
        guard expected >= 5 else {
          #expect(difference < 15)
          continue
        }
        statistic += difference * difference / expected
        cells += 1
      }
    }
    #expect(cells > 15)
    // The mean is cells - 1, and this lies six deviations above it.
    #expect(statistic < Double(cells) + 6 * (2 * Double(cells)).squareRoot())
  }

  @Test func `temperature 0 takes the most likely token`() throws {
    let model = try randomModel(vocabularySize: 25)
    let stories = rollout(
      model, prompt: [7, 7], indices: 0..<5, maxNewTokens: 10, filter: SamplingFilter(temperature: 0)
    ).stories
    var sequence = [7, 7]
    for _ in 0..<10 {
      let next = model.nextLogProbabilities(sequence)
      sequence.append(next.indices.max { next[$0] < next[$1] } ?? -1)
    }
    #expect(stories.allSatisfy { $0.tokens == Array(sequence.dropFirst(2)) })
  }

  /// A filter, and what it makes of the probabilities 1/2, 1/4, 1/8, 1/16, 1/16.
  struct Filtered: Sendable {
    var filter: SamplingFilter
    var expected: [Double]
  }

  @Test(arguments: [
    Filtered(filter: SamplingFilter(), expected: [0.5, 0.25, 0.125, 0.0625, 0.0625]),
    Filtered(filter: SamplingFilter(topK: 2), expected: [2 / 3, 1 / 3, 0, 0, 0]),
    Filtered(filter: SamplingFilter(topK: 1), expected: [1, 0, 0, 0, 0]),
    Filtered(filter: SamplingFilter(topP: 0.7), expected: [2 / 3, 1 / 3, 0, 0, 0]),
    Filtered(filter: SamplingFilter(topP: 0.8), expected: [4 / 7, 2 / 7, 1 / 7, 0, 0]),
    Filtered(filter: SamplingFilter(topP: 0.1), expected: [1, 0, 0, 0, 0]),
    // Of the three that top-k leaves, two make up 6/7.
    Filtered(filter: SamplingFilter(topK: 3, topP: 0.8), expected: [2 / 3, 1 / 3, 0, 0, 0]),
    // Squared: 64, 16, 4, 1, 1 of 86.
    Filtered(filter: SamplingFilter(temperature: 0.5), expected: [64 / 86, 16 / 86, 4 / 86, 1 / 86, 1 / 86]),
    Filtered(filter: SamplingFilter(temperature: 0.5, topK: 2), expected: [0.8, 0.2, 0, 0, 0]),
    Filtered(filter: SamplingFilter(temperature: 0), expected: [1, 0, 0, 0, 0]),
  ])
  func `filters leave what they should, renormalised`(filtered: Filtered) throws {
    // The most likely token is not the first.
    let order = [3, 1, 0, 4, 2]
    var probabilities = [Double](repeating: 0, count: 5)
    for (rank, token) in order.enumerated() { probabilities[token] = [0.5, 0.25, 0.125, 0.0625, 0.0625][rank] }
    let count = 10_000
    let stories = rollout(
      try constantModel(probabilities), prompt: [0], indices: 0..<count, maxNewTokens: 1, filter: filtered.filter
    ).stories
    for (rank, token) in order.enumerated() {
      let expected = filtered.expected[rank]
      let share = Double(stories.count { $0.tokens == [token] }) / Double(count)
      let deviation = (expected * (1 - expected) / Double(count)).squareRoot()
      #expect(abs(share - expected) <= 5 * deviation, "token \(token): \(share) instead of \(expected)")
    }
    // Whatever was cut off, log-probabilities are those of the model itself.
    for story in stories.prefix(100) {
      #expect(abs(story.logProbability - log(probabilities[story.tokens[0]])) < 1e-5)
    }
  }

  @Test func `each level is reported as it is drawn`() throws {
    let model = try randomModel(vocabularySize: 7)
    var levels: [[Int?]] = []
    let stories = rollout(model, prompt: [1], indices: 10..<60, maxNewTokens: 5, stopTokens: [6]) { levels.append($0) }
      .stories
    #expect(levels.count == stories.map(\.tokens.count).max())
    for (index, story) in stories.enumerated() {
      #expect(levels.compactMap { $0[index] } == story.tokens)
    }
  }

  @Test func `a storyteller tells the same stories for the same seed, with and without a report`() throws {
    let model = try letterModel()
    let teller = Storyteller(model)
    let settings = Storyteller.Settings(maxNewTokens: 6, seed: 4)
    var reported = [[Int]](repeating: [], count: 12)
    let stories = try teller.tell(prompt: "abc", count: 12, settings: settings) { reported[$0].append($1) }
    #expect(reported == stories.map(\.tokens))
    #expect(try teller.tell(prompt: "abc", count: 12, settings: settings) == stories)
    let few = try teller.tell(prompt: "abc", count: 5, settings: settings)
    #expect(few.map(\.tokens) == stories.prefix(5).map(\.tokens))
    #expect(try teller.tell(prompt: "abc", count: 0, settings: settings).isEmpty)
    // Nothing to continue: the story begins where another ended.
    let first = try #require(teller.tell(prompt: "", count: 1, settings: settings).first)
    #expect(!first.tokens.isEmpty)
  }
}
