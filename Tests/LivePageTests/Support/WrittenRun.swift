import Foundation
import JSON
import Runs

/// A small run with everything in it, written as the program writes runs; the numbers follow from step and index.
struct WrittenRun {
  static let prompt = "Once upon a time there was"

  let folder: URL
  let writer: RunWriter
  let samplesPerStep: Int

  init(_ folder: URL, seed: UInt64 = 1, samplesPerStep: Int = 6, steps: Int = 4, recipe: [JSONValue.Member] = []) throws
  {
    self.folder = folder
    self.samplesPerStep = samplesPerStep
    let settings: [JSONValue.Member] = [
      .init("prompt", .string(Self.prompt)), .init("toward", "cat"), .init("steps", .integer(steps)),
      .init("samples", .integer(samplesPerStep)), .init("learning_rate", 0.0004),
    ]
    let changed = Set(recipe.map(\.key))
    writer = try RunWriter(
      folder: folder,
      manifest: RunManifest(
        programVersion: "0.1.0", created: Date(timeIntervalSince1970: 1_700_000_000 + Double(seed)),
        recipe: .object(settings.filter { !changed.contains($0.key) } + recipe), seed: seed,
        model: .init(name: "tiny & <b>", sha256: "00"), platform: "test", threadCount: 1))
    try follow(0)
  }

  /// Does so many steps and finishes.
  init(finished folder: URL, steps: Int = 4, seed: UInt64 = 1, samplesPerStep: Int = 6) throws {
    try self.init(folder, seed: seed, samplesPerStep: samplesPerStep, steps: steps)
    if steps > 0 { for step in 1...steps { try self.step(step) } }
    try writer.update(status: .finished)
    writer.close()
  }

  /// Writes a step as a run does: samples, metrics, and what is followed.
  func step(_ step: Int) throws {
    try writer.append(samples: (0..<samplesPerStep).map { Self.sample(step: step, index: $0) })
    try writer.append(metrics: Self.metrics(step: step, samples: samplesPerStep))
    if step & (step - 1) == 0 { try follow(step) }
  }

  static func metrics(step: Int, samples: Int = 6) -> StepMetrics {
    let share = Double(step) / 100
    return StepMetrics(
      step: step, rewardMean: 0.1 + share, rewardStd: 0.05, rewardMax: 0.5 + share, klForward: share,
      klReverse: share / 2,
      loss: -share, entropy: 2 - share, tokens: 3 * samples, nodes: 2 * samples, distinctStories: samples,
      gradientNorm: 0.5, seconds: 0.05, secondsSplit: .init(rollout: 0.01, reward: 0.02, backward: 0.02),
      learningRate: 0.0004, meanLength: 3, endOfTextRate: 0)
  }

  /// Rewards, advantages and log-ratios in different orders; every fifth sample has no log-ratio.
  static func sample(step: Int, index: Int) -> SampleRecord {
    let words = [" cat", " Dog", " Bär\n", " \"fox\"", " <script>alert(1)</script>", " owl & co", " \\ back"]
    let mix = (step &* 7_919 &+ index &* 104_729) % 1_009
    let text = words[(step + index) % words.count] + words[(step * 3 + index * 5) % words.count]
    let length = 2 + index % 3
    let hasReference = index % 5 != 4
    return SampleRecord(
      step: step, index: index, prompt: prompt, tokenIDs: (0..<length).map { $0 + index }, text: text,
      reward: Float(mix) / 1_009, advantage: Float((mix * 31) % 503) / 503 - 0.5, logProbability: -2,
      finishReason: index % 2 == 0 ? .stop : .length,
      logProbabilities: hasReference ? [Float](repeating: -0.5, count: length) : [],
      referenceLogProbabilities: hasReference ? [Float](repeating: -0.5 - Float(mix % 97) / 97, count: length) : [],
      entropies: hasReference ? [Float](repeating: 1, count: length) : [], tokenBytes: [])
  }

  private func follow(_ step: Int) throws {
    func probability(_ share: Float) -> Float { share + Float(step) / 100 }
    let detail = TokenDetail(
      tokenID: 7, text: " cat", logProbability: -0.5, referenceLogProbability: -1.5, entropy: 1, referenceEntropy: 2,
      alternatives: [
        .init(tokenID: 7, text: " cat", probability: 0.6, referenceProbability: 0.2),
        .init(tokenID: 8, text: " <x-evil>", probability: 0.1, referenceProbability: 0.3),
      ])
    try writer.append(
      followedStories: (0..<2).map { index in
        FollowedStory(
          step: step, index: index, prompt: Self.prompt, text: " cat & <x-evil>\(step)</x-evil> \(index)",
          reward: Float(step) / 10 + Float(index), finishReason: .length, tokens: [detail, detail])
      })
    try writer.append(
      storyTrees: [
        StoryTree(
          step: step, prompt: Self.prompt,
          nodes: [
            .init(
              parent: -1, tokenID: 7, text: " cat", probability: probability(0.5), referenceProbability: 0.2,
              isEnd: false),
            .init(
              parent: -1, tokenID: 8, text: " <x-evil>", probability: 0.1, referenceProbability: 0.3, isEnd: false),
            .init(parent: 0, tokenID: 9, text: " sat", probability: 0.9, referenceProbability: 0.4, isEnd: true),
          ])
      ])
  }
}
