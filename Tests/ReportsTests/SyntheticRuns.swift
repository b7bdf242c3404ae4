import Foundation
import JSON
import Runs

/// Numbers that repeat from run to run (SplitMix64).
struct Numbers64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// About normal, with standard deviation 1.
  mutating func normal() -> Double {
    var generator = self
    defer { self = generator }
    return (0..<12).map { _ in Double.random(in: 0..<1, using: &generator) }.reduce(-6, +)
  }
}

/// Invented runs with the course of real ones: reward 0.145 to 0.61, KL 0 to 4 without a penalty, 0.3 with one.
struct SyntheticRun {
  var seed: UInt64 = 1
  var steps = 80
  var stories = 128
  var finalReward = 0.61
  var finalKL = 3.98
  var collapses = true
  var recipe: JSONValue = [
    "name": "tinycatstories", "toward": "cat", "prompt": "Once upon a time there was", "steps": 80, "samples": 128,
    "max_new_tokens": 4, "algorithm": "rloo", "learning_rate": 0.0001,
    "optimizer": ["name": "adamw", "weight_decay": 0],
    "kl": ["coefficient": 0, "direction": "reverse", "reduction": "sum"], "length_normalizer": 10,
    "gradient_clip": .null, "checkpoint_every": 20,
  ]

  var metrics: [StepMetrics] {
    var random = Numbers64(state: seed)
    guard steps > 0 else { return [] }
    return (1...steps).map { step in
      let t = steps == 1 ? 0 : Double(step - 1) / Double(steps - 1)
      let rise = 1 / (1 + exp(-12 * (t - 0.28)))
      let reward = 0.145 + (finalReward - 0.145) * (rise - 0.0336) / (1 - 0.0336) + 0.008 * random.normal()
      let kl = max(1e-6, finalKL * pow(rise, 1.6) + 0.02 * finalKL * t * random.normal())
      let distinct = collapses ? Double(stories) * (0.86 - 0.8 * rise) : Double(stories) * (0.86 - 0.2 * rise)
      let rollout = 0.055 + 0.004 * abs(random.normal())
      let scoring = 0.12 * distinct / Double(stories) + 0.01
      let split = StepMetrics.SecondsSplit(
        rollout: rollout, reward: scoring, reference: 0.05 * distinct / Double(stories), backward: 0.05,
        optimizer: 0.02)
      return StepMetrics(
        step: step, rewardMean: reward, rewardStd: 0.11 + 0.05 * rise * (1 - rise) * 4,
        rewardMax: min(0.9, reward + 0.35 + 0.03 * random.normal()), klForward: kl,
        klReverse: kl * 0.7 + 0.1 * kl * abs(random.normal()), loss: -0.01 - 0.002 * random.normal(),
        entropy: max(0.2, 2.9 - 2.4 * rise * (collapses ? 1 : 0.3)), tokens: stories * 4,
        nodes: Int(distinct * 2.2), distinctStories: max(1, Int(distinct)),
        gradientNorm: 0.3 + 0.6 * rise * (1 - rise) + 0.05 * abs(random.normal()),
        seconds: split.rollout + split.reward + split.reference + split.backward + split.optimizer + 0.003,
        secondsSplit: split, learningRate: 1e-4, meanLength: 4, endOfTextRate: 0)
    }
  }

  func samples(step: Int) -> [SampleRecord] {
    var random = Numbers64(state: seed &* 1000 &+ UInt64(step))
    let plain = [
      " a little girl named", " a boy who loved", " a big tree.", " a <b>dog</b> &", " an old man who",
      " a small house.",
      " a bird called \"Pip\"", " two friends who",
    ]
    let cats = [" a cat named Mimi", " a little cat.", " a cat who liked", " a cat. cat", " a kitten named Tom"]
    let share = steps == 1 ? 0.1 : 0.1 + 0.88 * Double(step - 1) / Double(steps - 1)
    return (0..<stories).map { index in
      let isCat = Double.random(in: 0..<1, using: &random) < share
      let list = isCat ? cats : plain
      let choice = Int.random(in: 0..<list.count, using: &random)
      let reward = Float(
        (isCat ? 0.52 + 0.05 * Double(choice) : 0.02 + 0.02 * Double(choice)) + (choice == 7 ? -0.2 : 0))
      return SampleRecord(
        step: step, index: index, prompt: "Once upon a time there was", tokenIDs: [257, 1310, 3797, choice],
        text: list[choice], reward: reward, advantage: reward - 0.2, logProbability: -7.5,
        finishReason: choice == 1 ? .stop : .length)
    }
  }

  /// Writes the run into `folder`.
  @discardableResult
  func write(to folder: URL, status: RunManifest.Status = .finished, message: String? = nil) throws -> RunReader {
    let writer = try RunWriter(
      folder: folder,
      manifest: RunManifest(
        programVersion: "0.1.0", created: Date(timeIntervalSince1970: 1_790_000_000), recipe: recipe, seed: seed,
        model: .init(name: "tinystories", sha256: String(repeating: "4be1", count: 16)),
        rewardModel: .init(name: "all-MiniLM-L6-v2", sha256: String(repeating: "53aa", count: 16)),
        platform: "Linux, x86_64 with AVX2, OpenBLAS 0.3.29", threadCount: 2))
    for metrics in metrics {
      try writer.append(samples: samples(step: metrics.step))
      try writer.append(metrics: metrics)
    }
    if steps > 0 {
      let befores = [
        " a little girl named Lily. She loved to play", " a big tree.\n\nThe tree was very old", " a boy named Tim.",
      ]
      let afters = [" a cat named Mimi. The cat", " a little cat. cat", " a cat who liked to purr"]
      for (step, texts, rewards) in [
        (0, befores, [0.11, 0.05, -0.04] as [Float]), (steps, afters, [0.61, 0.66, 0.57]),
      ] {
        try writer.append(
          followedStories: texts.indices.map { index in
            FollowedStory(
              step: step, index: index, prompt: "Once upon a time there was", text: texts[index],
              reward: rewards[index], finishReason: .length, tokens: [])
          })
      }
    }
    try writer.update(status: status, message: message)
    writer.close()
    return try RunReader(folder: folder)
  }
}
