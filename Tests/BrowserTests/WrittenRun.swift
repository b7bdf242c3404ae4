import Foundation
import JSON
import Runs

/// A run folder with stories that a test made up; step by step, as a run writes it.
final class WrittenRun {
  /// What differs from run to run.
  struct Setup {
    var toward = "cat"
    var seed: UInt64 = 1
    var learningRate = 0.0004
    var prompts = ["Once upon a time there was"]
    var samples = 30
    /// Said in place of a made-up story, by step and number of the sample.
    var story: @Sendable (_ step: Int, _ index: Int) -> String? = { _, _ in nil }
  }

  private static let words = [" little", " cat", " dog", " girl", " who", " loved", " birds", " Lily", " named", "."]

  let folder: URL
  private let setup: Setup
  private let writer: RunWriter
  private let change: (inout StepMetrics) -> Void

  /// Starts a run of `planned` steps and writes the first `steps` of them, each with its metrics as `change` leaves them.
  init(
    _ folder: URL, steps: Int, of planned: Int? = nil, setup: Setup = Setup(),
    change: @escaping (inout StepMetrics) -> Void = { _ in }
  ) throws {
    self.folder = folder
    self.change = change
    self.setup = setup
    let recipe: JSONValue = .object([
      .init("algorithm", "rloo"), .init("prompt", .array(setup.prompts.map { .string($0) })),
      .init("toward", .string(setup.toward)), .init("steps", .integer(planned ?? steps)),
      .init("samples", .integer(setup.samples)), .init("learning_rate", .number(setup.learningRate)),
      .init("seed", JSONValue(setup.seed)),
    ])
    writer = try RunWriter(
      folder: folder,
      manifest: RunManifest(
        programVersion: "0.1.0", recipe: recipe, seed: setup.seed,
        model: .init(name: "tinystories", sha256: String(repeating: "0", count: 64)), platform: "test", threadCount: 1))
    try follow(0)
    if steps > 0 { for step in 1...steps { try write(step) } }
    if planned == nil { try writer.update(status: .finished) }
  }

  /// Writes one more step.
  func write(_ step: Int) throws {
    let samples = (0..<setup.samples).map { sample(step, $0) }
    try writer.append(samples: samples)
    var metrics = metrics(step, samples)
    change(&metrics)
    try writer.append(metrics: metrics)
    if step & (step - 1) == 0 { try follow(step) }
  }

  /// Closes the files.
  func close() { writer.close() }

  /// A fraction from 0 to 1 that depends on nothing but its arguments.
  private func fraction(_ values: Int...) -> Double {
    var state: UInt64 = setup.seed &* 0x9e37_79b9_7f4a_7c15
    for value in values {
      state = (state ^ UInt64(bitPattern: Int64(value))) &* 0xbf58_476d_1ce4_e5b9
      state ^= state >> 31
    }
    return Double(state >> 11) / Double(1 << 53)
  }

  private func tokens(_ step: Int, _ index: Int) -> [Int] {
    (0..<5).map { place in
      // Toward the end of training nearly every story begins with the second word.
      place == 0 && fraction(step, index, 99) < Double(step) / 10 ? 1 : Int(fraction(step, index, place) * 9.99)
    }
  }

  private func sample(_ step: Int, _ index: Int) -> SampleRecord {
    let ids = tokens(step, index)
    let said = setup.story(step, index)
    let texts = said.map { [$0] } ?? ids.map { Self.words[$0] }
    let own = texts.indices.map { Float(-0.2 - fraction(step, index, $0, 1)) }
    return SampleRecord(
      step: step, index: index, prompt: setup.prompts[index * setup.prompts.count / setup.samples],
      tokenIDs: Array(ids.prefix(texts.count)), text: texts.joined(),
      reward: Float(fraction(step, index, 7) * 0.6 + Double(min(step, 20)) * 0.01),
      advantage: Float(fraction(step, index, 8) - 0.5), logProbability: own.reduce(0, +),
      finishReason: index % 3 == 0 ? .stop : .length, logProbabilities: own,
      referenceLogProbabilities: own.map { $0 - Float(step) * 0.02 }, entropies: texts.map { _ in 1.5 },
      tokenBytes: texts.map(\.utf8.count))
  }

  private func metrics(_ step: Int, _ samples: [SampleRecord]) -> StepMetrics {
    let rewards = samples.map { Double($0.reward) }
    let mean = rewards.reduce(0, +) / Double(rewards.count)
    return StepMetrics(
      step: step, rewardMean: mean, rewardStd: 0.17, rewardMax: rewards.max() ?? 0, klForward: 0.02 * Double(step),
      klReverse: 0.018 * Double(step), loss: -0.02, entropy: 2.4 - 0.01 * Double(step), tokens: 5 * samples.count,
      nodes: 4 * samples.count, distinctStories: Set(samples.map(\.text)).count, gradientNorm: 0.3 + fraction(step),
      seconds: 0.05,
      secondsSplit: .init(rollout: 0.02, reward: 0.01, reference: 0.005, backward: 0.01, optimizer: 0.005),
      learningRate: setup.learningRate, meanLength: 5, endOfTextRate: 0.33)
  }

  private func follow(_ step: Int) throws {
    try writer.append(followedStories: setup.prompts.enumerated().map { story(step, $0, prompt: $1) })
    try writer.append(storyTrees: setup.prompts.prefix(3).map { tree(step, prompt: $0) })
  }

  private func story(_ step: Int, _ index: Int, prompt: String) -> FollowedStory {
    let chosen = [0, step == 0 ? 2 : 1, 4, 5, 6]
    let details = chosen.map { id in
      TokenDetail(
        tokenID: id, text: Self.words[id], logProbability: -0.5, referenceLogProbability: -0.5 - Float(step) * 0.05,
        entropy: 1.2, referenceEntropy: 1.5,
        alternatives: [
          .init(tokenID: 1, text: " cat", probability: 0.6, referenceProbability: 0.1),
          .init(tokenID: 2, text: " dog", probability: 0.2, referenceProbability: 0.5),
        ])
    }
    return FollowedStory(
      step: step, index: index, prompt: prompt, text: details.map(\.text).joined(), reward: 0.2 + Float(step) * 0.02,
      finishReason: .length, tokens: details)
  }

  private func tree(_ step: Int, prompt: String) -> StoryTree {
    var nodes: [StoryTree.Node] = []
    func grow(_ parent: Int, _ depth: Int) {
      let cat = Float(min(0.8, 0.1 + 0.1 * Double(step)))
      let branches: [(Int, Float, Float)] = [(1, cat, 0.1), (2, 0.9 - cat, 0.6), (3, 0.08, 0.2)]
      for (id, probability, reference) in branches where depth < 3 {
        let node = StoryTree.Node(
          parent: parent, tokenID: id, text: Self.words[id], probability: max(0.01, probability),
          referenceProbability: reference, isEnd: false)
        nodes.append(node)
        grow(nodes.count - 1, depth + 1)
      }
    }
    grow(-1, 0)
    return StoryTree(step: step, prompt: prompt, nodes: nodes)
  }
}
