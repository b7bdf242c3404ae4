import Foundation
import TestSupport
import Testing

extension CommandTests {
  @Suite struct AlignTests {
    /// Three steps of eight stories in `folder`/`run`.
    private func align(_ run: String = "run", in folder: URL, _ more: String...) throws -> CommandResult {
      let result = try CommandRunner(product: "tinyalign").run(
        ["align", "--steps", "3", "--samples", "8", "--checkpoint-every", "1", "--out", run] + more, in: folder)
      _ = output(of: result)
      return result
    }

    private func samples(_ run: URL) throws -> [SampleLine] {
      try jsonLines(SampleLine.self, keys: SampleLine.keys, of: text(run.appending(path: "samples.jsonl")))
    }

    private func metrics(_ run: URL) throws -> [Metrics] {
      try jsonLines(Metrics.self, keys: Metrics.keys, of: text(run.appending(path: "metrics.jsonl")))
    }

    @Test func `a run leaves the files of the contract and says where`() throws {
      try withTemporaryFolder { folder in
        let result = try align(in: folder)
        let run = folder.appending(path: "run")
        #expect(result.output.isEmpty)
        #expect(result.errorLines.last?.hasSuffix("run/report.html") == true)
        #expect(
          try names(in: run) == [
            "checkpoints", "figures", "followed_stories.jsonl", "metrics.jsonl", "report.html", "run.json",
            "samples.jsonl", "story_trees.jsonl", "training_metrics.svg", "training_state.safetensors",
          ])
        let checkpoints = run.appending(path: "checkpoints")
        #expect(try names(in: checkpoints) == ["step-000001", "step-000002", "step-000003"])
        for name in try names(in: checkpoints) {
          let files = Set(try names(in: checkpoints.appending(path: name)))
          #expect(files.isSuperset(of: ["config.json", "model.safetensors", "tokenizer.json"]))
        }
        let manifest = try ManifestFile(run: run)
        #expect(manifest.status == "finished")
        #expect(manifest.completedSteps == 3)
        #expect(try text(run.appending(path: "training_metrics.svg")).contains("<svg"))
        #expect(try text(run.appending(path: "report.html")).lowercased().hasPrefix("<!doctype html>"))
      }
    }

    @Test func `with --json standard output is metrics.jsonl as it grows`() throws {
      try withTemporaryFolder { folder in
        let result = try align(in: folder, "--json")
        let run = folder.appending(path: "run")
        #expect(try jsonLines(Metrics.self, keys: Metrics.keys, of: result.output).map(\.step) == [1, 2, 3])
        #expect(try result.output == text(run.appending(path: "metrics.jsonl")))
      }
    }

    @Test func `metrics are those of the samples`() throws {
      try withTemporaryFolder { folder in
        _ = try align(in: folder)
        let run = folder.appending(path: "run")
        let samples = try samples(run)
        let metrics = try metrics(run)
        #expect(samples.map(\.step) == [1, 2, 3].flatMap { [Int](repeating: $0, count: 8) })
        #expect(samples.map(\.index) == [0, 8, 16].flatMap { _ in 0..<8 })
        for step in metrics {
          let own = samples.filter { $0.step == step.step }
          try #require(own.count == 8)
          let rewards = own.map(\.reward)
          let mean = rewards.reduce(0, +) / 8
          let variance = rewards.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 8
          #expect(abs(step.rewardMean - mean) < 1e-6)
          #expect(abs(step.rewardStd - variance.squareRoot()) < 1e-6)
          #expect(abs(step.rewardMax - (rewards.max() ?? .nan)) < 1e-6)
          #expect(step.tokens == own.reduce(0) { $0 + $1.tokenIDs.count })
          #expect(step.distinctStories == Set(own.map(\.tokenIDs)).count)
          #expect((1...step.tokens).contains(step.nodes))
          #expect(step.entropy > 0 && step.gradientNorm > 0 && step.seconds > 0)
          #expect(step.secondsSplit.keys.sorted() == ["backward", "optimizer", "reference", "reward", "rollout"])
          #expect(step.secondsSplit.values.reduce(0, +) <= step.seconds)
          #expect(step.klForward > -1e-6 && step.klReverse > -1e-6)
          // Leave-one-out: each reward less the mean of the other seven.
          #expect(abs(own.reduce(0) { $0 + $1.advantage }) < 1e-5)
          for sample in own {
            #expect(abs(sample.advantage - (sample.reward - (mean * 8 - sample.reward) / 7)) < 1e-5)
          }
        }
        // Before the first update the model is its own reference.
        #expect(abs(metrics[0].klForward) < 1e-6 && abs(metrics[0].klReverse) < 1e-6)
        #expect(metrics[2].klForward > 1e-6)
      }
    }

    @Test func `samples agree with tokenize, reward and score`() throws {
      try withTemporaryFolder { folder in
        _ = try align(in: folder)
        let first = try samples(folder.appending(path: "run")).filter { $0.step == 1 }
        try #require(first.count == 8)
        let stories = first.map { $0.prompt + $0.text }
        let runner = try CommandRunner(product: "tinyalign")
        let rewards = try jsonLines(
          RewardLine.self, keys: RewardLine.keys,
          of: output(of: runner.run(["reward", "--toward", "cat", "--json", "--"] + stories, in: folder)))
        let scores = try jsonLines(
          ScoreLine.self, keys: ScoreLine.keys,
          of: output(of: runner.run(["score", "--json", "--"] + stories, in: folder)))
        var compared = 0
        for (index, sample) in first.enumerated() {
          #expect(sample.prompt == "Once upon a time there was")
          #expect((1...4).contains(sample.tokenIDs.count))
          #expect(["stop", "length"].contains(sample.finishReason))
          if sample.finishReason == "length" { #expect(sample.tokenIDs.count == 4) }
          #expect(abs(sample.reward - rewards[index].reward) < 1e-5)
          // The end-of-text token is in token_ids, not in the text.
          let told = sample.finishReason == "stop" ? sample.tokenIDs.dropLast() : sample.tokenIDs[...]
          let decoded = try tinyalign(
            "tokenize", "--decode", told.map(String.init).joined(separator: ","), in: folder)
          #expect(output(of: decoded) == sample.text + "\n")
          // Sampled tokens need not be those that the tokenizer makes of the text; where they are, score must agree.
          guard sample.finishReason == "length", scores[index].tokenIDs.suffix(4).elementsEqual(sample.tokenIDs) else {
            continue
          }
          let scored = scores[index].logProbabilities.suffix(4).reduce(0.0) { $0 + ($1 ?? .nan) }
          #expect(abs(scored - sample.logProbability) < 1e-3)
          compared += 1
        }
        #expect(compared > 0)
      }
    }

    @Test func `the same seed gives the same samples, another seed others`() throws {
      try withTemporaryFolder { folder in
        _ = try align("one", in: folder, "--seed", "7")
        _ = try align("same", in: folder, "--seed", "7")
        _ = try align("single", in: folder, "--seed", "7", "--threads", "1")
        _ = try align("three", in: folder, "--seed", "7", "--threads", "3")
        _ = try align("other", in: folder, "--seed", "8")
        func contents(_ run: String) throws -> String { try text(folder.appending(path: "\(run)/samples.jsonl")) }
        #expect(try contents("one") == contents("same"))
        #expect(try contents("one") != contents("other"))
        #expect(try ManifestFile(run: folder.appending(path: "one")).seed == 7)
        #if canImport(Accelerate)
          // For another number of threads Accelerate rounds differently; the stories drawn stay the same.
          let one = try samples(folder.appending(path: "one")).filter { $0.step == 1 }
          let single = try samples(folder.appending(path: "single")).filter { $0.step == 1 }
          #expect(one.map(\.tokenIDs) == single.map(\.tokenIDs))
          for numbers in [\SampleLine.reward, \.advantage, \.logProbability] {
            let comparison = Comparison(single.map { $0[keyPath: numbers] }, one.map { $0[keyPath: numbers] })
            #expect(comparison.matches(absolute: 1e-4), "\(comparison)")
          }
        #else
          // Any number of threads gives the same bits, of all updates.
          func model(_ run: String) throws -> Data {
            try Data(contentsOf: folder.appending(path: "\(run)/checkpoints/step-000003/model.safetensors"))
          }
          for run in ["single", "three"] {
            #expect(try contents(run) == contents("one"))
            #expect(try model(run) == model("one"))
          }
        #endif
      }
    }

    @Test func `a budget of memory is kept, recorded, and changes no story`() throws {
      try withTemporaryFolder { folder in
        let refusal = try tinyalign("align", "--memory", "1MB", "--out", "none", in: folder)
        let needed = refusal.errors.split(separator: " ").dropLast().last.flatMap { Int($0) }
        let least = try #require(needed, "\(refusal.errors)")
        _ = try align("plain", in: folder)
        let plain = try samples(folder.appending(path: "plain")).filter { $0.step == 1 }
        // Just enough, and plenty.
        for (run, budget) in [("little", "\(least + 3)MiB"), ("plenty", "4 GB")] {
          _ = try align(run, in: folder, "--memory", budget)
          #expect(try ManifestFile(run: folder.appending(path: run)).recipe.memory == budget)
          let bounded = try samples(folder.appending(path: run)).filter { $0.step == 1 }
          #expect(bounded.map(\.tokenIDs) == plain.map(\.tokenIDs))
          #expect(bounded.map(\.reward) == plain.map(\.reward))
        }
        #expect(try ManifestFile(run: folder.appending(path: "plain")).recipe.memory == nil)
      }
    }

    @Test func `a checkpoint is a model for the other commands`() throws {
      try withTemporaryFolder { folder in
        _ = try align(in: folder)
        for step in [1, 3] {
          let model = "run/checkpoints/step-00000\(step)"
          let stories = try tinyalign("sample", "--model", model, "--max-new-tokens", "5", "--json", in: folder)
          #expect(try jsonLines(StoryLine.self, keys: StoryLine.keys, of: output(of: stories)).count == 1)
        }
        let scores = try ["tinystories", "run/checkpoints/step-000001", "run/checkpoints/step-000003"].map { model in
          try output(of: tinyalign("score", "--model", model, "--json", "a little cat named Tom", in: folder))
        }
        #expect(Set(scores).count == 3, "each update changes the model")
        // Training goes on from a checkpoint, with the original as the reference.
        let more = try tinyalign(
          "align", "--model", "run/checkpoints/step-000003", "--reference", "tinystories", "--steps", "1", "--samples",
          "4", "--out", "more", in: folder)
        _ = output(of: more)
        #expect(try metrics(folder.appending(path: "more"))[0].klForward > 1e-6)
      }
    }

    @Test func `a recipe file sets, and flags override it`() throws {
      try withTemporaryFolder { folder in
        try "algorithm: reinforce\nsamples: 4\nsteps: 50\nprompt: The dog\nmax_new_tokens: 3\n".write(
          to: folder.appending(path: "mine.yaml"), atomically: true, encoding: .utf8)
        _ = output(
          of: try tinyalign("align", "--recipe", "mine.yaml", "--steps", "2", "--out", "run", in: folder))
        let samples = try samples(folder.appending(path: "run"))
        #expect(samples.map(\.step) == [1, 1, 1, 1, 2, 2, 2, 2])
        #expect(samples.allSatisfy { $0.prompt == "The dog" && $0.tokenIDs.count <= 3 })
        #expect(samples.allSatisfy { $0.advantage == $0.reward }, "REINFORCE has no baseline")
        // Without --checkpoint-every only the last state is kept.
        #expect(try names(in: folder.appending(path: "run/checkpoints")) == ["step-000002"])
      }
    }

    @Test func `each prompt's stories are a group of their own`() throws {
      try withTemporaryFolder { folder in
        try "prompt\nThe cat\nA dog\nOnce upon a time\nThe sun\n".write(
          to: folder.appending(path: "p.csv"), atomically: true, encoding: .utf8)
        _ = try align(in: folder, "--prompts", "p.csv", "--samples-per-prompt", "4", "--steps", "4")
        let samples = try samples(folder.appending(path: "run"))
        #expect(samples.count == 32)
        for group in stride(from: 0, to: 32, by: 4) {
          let own = Array(samples[group..<group + 4])
          #expect(Set(own.map(\.prompt)).count == 1)
          let sum = own.reduce(0) { $0 + $1.reward }
          for sample in own { #expect(abs(sample.advantage - (sample.reward - (sum - sample.reward) / 3)) < 1e-5) }
        }
        // Two prompts a step: each prompt once in two steps.
        for steps in [1...2, 3...4] {
          let prompts = Set(samples.filter { steps.contains($0.step) }.map(\.prompt))
          #expect(prompts == ["The cat", "A dog", "Once upon a time", "The sun"])
        }
        // Without a size, a group is what makes each step take all prompts; the flag takes the recipe's place.
        try "prompts: p.csv\nsamples: 4\n".write(
          to: folder.appending(path: "mine.yaml"), atomically: true, encoding: .utf8)
        _ = try align("two", in: folder, "--recipe", "mine.yaml", "--prompt", "The cat", "--prompt", "A dog")
        let two = try self.samples(folder.appending(path: "two")).filter { $0.step == 1 }
        #expect(Set(two.prefix(4).map(\.prompt)).count == 1 && Set(two.map(\.prompt)) == ["The cat", "A dog"])
      }
    }
  }
}
