import Foundation
import JSON
import Runs

let plainManifest = RunManifest(
  programVersion: "0.1.0", created: Date(timeIntervalSince1970: 1_790_000_000.75),
  recipe: ["toward": "cat", "steps": 80, "kl": ["coefficient": 0.1194, "direction": "reverse"], "early_stop": false],
  seed: 7, model: .init(name: "tinystories", sha256: String(repeating: "ab", count: 32)),
  rewardModel: .init(name: "all-MiniLM-L6-v2", sha256: String(repeating: "01", count: 32)),
  platform: "Linux x86_64, OpenBLAS", threadCount: 2)

func metrics(step: Int) -> StepMetrics {
  StepMetrics(
    step: step, rewardMean: 0.145, rewardStd: 0.1, rewardMax: 0.75, klForward: 3.1e-05, klReverse: 2.5e-05,
    loss: -0.0145,
    entropy: 2.25, tokens: 4096, nodes: 812, distinctStories: 640, gradientNorm: 0.375, seconds: 0.25,
    secondsSplit: .init(rollout: 0.1, reward: 0.05, reference: 0.025, backward: 0.0625, optimizer: 0.0125),
    learningRate: 0.0001, meanLength: 4, endOfTextRate: 0)
}

func sample(step: Int, index: Int, text: String = " a little cat named", reward: Float = 0.5) -> SampleRecord {
  SampleRecord(
    step: step, index: index, prompt: "Once upon a time there was", tokenIDs: [257, 1310, 3797, 3706], text: text,
    reward: reward, advantage: reward - 0.25, logProbability: -7.125, finishReason: .length,
    logProbabilities: [-1.5, -5.625], referenceLogProbabilities: [-2, -4.625], entropies: [2.25, 0.5],
    tokenBytes: [2, 9, 4, 1])
}

func followedStory(step: Int, index: Int) -> FollowedStory {
  FollowedStory(
    step: step, index: index, prompt: "p", text: "told at \(step)", reward: Float(step), finishReason: .stop,
    tokens: [
      TokenDetail(
        tokenID: 7, text: " 猫", logProbability: -0.5, referenceLogProbability: -2.5, entropy: 1, referenceEntropy: 1.5,
        alternatives: [.init(tokenID: 8, text: " dog", probability: 0.25, referenceProbability: 0.125)])
    ])
}

func storyTree(step: Int) -> StoryTree {
  StoryTree(
    step: step, prompt: "p",
    nodes: [
      .init(parent: -1, tokenID: 7, text: " cat", probability: 0.5, referenceProbability: 0.125, isEnd: false),
      .init(parent: 0, tokenID: 0, text: "", probability: 0.75, referenceProbability: 0.0625, isEnd: true),
    ])
}
