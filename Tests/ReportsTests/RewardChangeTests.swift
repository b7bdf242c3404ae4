import Foundation
import JSON
import Reports
import Runs
import TestSupport
import Testing

/// Writes a run of steps that each have the prompts and rewards of `steps`.
private func write(
  _ steps: [[(prompt: String, reward: Float)]], recipe: JSONValue = ["toward": "cat", "prompts": "file.txt"],
  to folder: URL
) throws -> RunReader {
  let writer = try RunWriter(
    folder: folder,
    manifest: RunManifest(
      programVersion: "1", recipe: recipe, seed: 1, model: .init(name: "m", sha256: ""), platform: "p", threadCount: 1))
  let pattern = SyntheticRun(steps: 1, stories: 1)
  for (index, completions) in steps.enumerated() {
    try writer.append(
      samples: completions.enumerated().map { number, completion in
        var sample = pattern.samples(step: 1)[0]
        (sample.step, sample.index) = (index + 1, number)
        (sample.prompt, sample.reward) = (completion.prompt, completion.reward)
        return sample
      })
    var metrics = pattern.metrics[0]
    metrics.step = index + 1
    metrics.rewardMean = completions.reduce(0) { $0 + Double($1.reward) } / Double(completions.count)
    metrics.klForward = 0.01
    try writer.append(metrics: metrics)
  }
  writer.close()
  return try RunReader(folder: folder)
}

@Suite("Rewards compared within prompts") struct RewardChangeTests {
  /// Prompts that earn 0.18 and 0.614, each step one of them: nothing is learned, yet the last step earns more.
  private static let idle: [[(prompt: String, reward: Float)]] =
    (0..<20).map { step in
      let completion: (prompt: String, reward: Float) = [0, 3].contains(step % 4) ? ("a", 0.18) : ("b", 0.614)
      return [completion, completion]
    } + [[("b", 0.614), ("b", 0.614)]]

  @Test func `a run that learned nothing has no rise, whichever prompts its first and last step have`() throws {
    try withTemporaryFolder { parent in
      let run = try write(Self.idle, to: parent.appending(path: "run"))
      let metrics = try run.metrics()
      #expect(abs(metrics[0].rewardMean - 0.18) < 1e-6 && abs(metrics[20].rewardMean - 0.614) < 1e-6)
      let change = try #require(RewardChange(metrics, try run.promptRewards()))
      #expect(abs(change.before - 0.397) < 1e-6 && abs(change.after - 0.397) < 1e-6)
      #expect(change.promptCount == 2)
      #expect(
        try rewardChangeWords(run) == "Mean reward 0.397 → 0.397 over 2 prompts, the first and the last time each came")
      let tile = try #require(runTiles(metrics, rewards: try run.promptRewards()).first)
      #expect(tile.value == "0.397 → 0.397")
      #expect(tile.note == "first and last time of 2 prompts")
      let html = try htmlReport(run)
      #expect(html.contains("went from <b>0.397</b> to <b>0.397</b>"))
      #expect(!html.contains("0.180</b> to") && html.contains("The reward has hardly changed"))
    }
  }

  @Test func `what is learned shows within prompts, also where the means of the steps hide it`() throws {
    // The rich prompt comes at the beginning, the poor one at the end; both earn 0.1 more.
    let steps: [[(prompt: String, reward: Float)]] =
      (0..<6).map { [("rich", 0.7 + ($0 < 3 ? 0 : 0.1))] } + (0..<6).map { [("poor", 0.1 + ($0 < 3 ? 0 : 0.1))] }
    try withTemporaryFolder { parent in
      let run = try write(steps, to: parent.appending(path: "run"))
      #expect(
        try rewardChangeWords(run) == "Mean reward 0.400 → 0.500 over 2 prompts, the first and the last time each came")
      let found = observations(of: try run.metrics(), rewards: try run.promptRewards()).map(\.title)
      #expect(!found.contains("The reward has fallen"))
    }
  }

  @Test func `prompts that come but once do not compare`() throws {
    try withTemporaryFolder { parent in
      let run = try write((0..<12).map { [("prompt \($0)", Float($0) / 10)] }, to: parent.appending(path: "run"))
      #expect(
        try rewardChangeWords(run)
          == "Mean reward 1.100 at the last step (no prompt came twice, so steps do not compare)")
      #expect(try htmlReport(run).contains("was <b>1.100</b> at the last step"))
      let rewards = try run.promptRewards()
      #expect(observations(of: try run.metrics(), rewards: rewards).allSatisfy { !$0.title.contains("reward") })
    }
  }

  @Test func `steps with all prompts, and runs of one prompt, compare as they are`() throws {
    let steps: [[(prompt: String, reward: Float)]] = [[("a", 0.1), ("b", 0.5)], [("b", 0.7), ("a", 0.2)]]
    try withTemporaryFolder { parent in
      let all = try write(steps, to: parent.appending(path: "all"))
      #expect(try rewardChangeWords(all) == "Mean reward 0.300 → 0.450")
      let one = try write(
        [[("a", 0.1)], [("a", 0.2)]], recipe: ["prompt": "a", "prompts": .null], to: parent.appending(path: "one"))
      #expect(try one.promptRewards() == nil)
      #expect(try rewardChangeWords(one) == "Mean reward 0.100 → 0.200")
      let none = try write([], to: parent.appending(path: "none"))
      #expect(try rewardChangeWords(none) == nil)
    }
  }
}
