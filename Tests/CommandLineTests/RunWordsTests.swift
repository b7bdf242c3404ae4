import Foundation
import TestSupport
import Testing

extension CommandTests {
  /// What a run says beside its steps: at the start, at the end, and where something is left out.
  @Suite struct RunWordsTests {
    private func cats(_ count: Int) -> String { [String](repeating: "cat", count: count).joined(separator: " ") }

    private func align(_ arguments: String..., in folder: URL) throws -> CommandResult {
      try tinyalign(["align", "--samples", "4"] + arguments, in: folder)
    }

    @Test func `a prompt that fills the reward model is refused or left out`() throws {
      try withTemporaryFolder { folder in
        expectRefusal(
          try align("--prompt", cats(260), "--steps", "1", "--out", "none", in: folder), status: 1,
          saying:
            "the reward model reads 254 word pieces, and the prompt has 260: nothing of what follows would be rewarded")
        #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "none").path))
        try "The big dog\n\(cats(260))\nOnce upon a time\n".write(
          to: folder.appending(path: "p.txt"), atomically: true, encoding: .utf8)
        expectRefusal(
          try align("--prompts", "p.txt", "--steps", "1", "--out", "none", in: folder), status: 1,
          saying: "p.txt, line 2: the reward model reads 254 word pieces")
        let result = try align(
          "--prompts", "p.txt", "--steps", "1", "--long-prompts", "skip", "--out", "run", in: folder)
        #expect(result.status == 0)
        #expect(result.errors.contains("1 of 3 prompts are left out as too long."))
        let lines = try jsonLines(
          SampleLine.self, keys: SampleLine.keys, of: text(folder.appending(path: "run/samples.jsonl")))
        #expect(Set(lines.map(\.prompt)) == ["The big dog", "Once upon a time"])
      }
    }

    @Test func `a prompt that is too long for the context names the way out`() throws {
      try withTemporaryFolder { folder in
        try "The big dog\n\(cats(600))\n".write(
          to: folder.appending(path: "p.txt"), atomically: true, encoding: .utf8)
        let refused = try align("--prompts", "p.txt", "--steps", "1", "--out", "none", in: folder)
        expectRefusal(refused, status: 1, saying: "has a context of 512 tokens, too short for a prompt of")
        #expect(refused.errors.contains("p.txt, line 2") && refused.errors.contains("--long-prompts skip"))
        try "prompts: p.txt\nlong_prompts: skip\nsamples: 4\nsteps: 1\n".write(
          to: folder.appending(path: "mine.yaml"), atomically: true, encoding: .utf8)
        let result = try tinyalign("align", "--recipe", "mine.yaml", "--out", "run", in: folder)
        #expect(output(of: result).isEmpty && result.errors.contains("1 of 2 prompts are left out as too long."))
        try "\(cats(600))\n\(cats(700))\n".write(
          to: folder.appending(path: "p.txt"), atomically: true, encoding: .utf8)
        expectRefusal(
          try tinyalign("align", "--recipe", "mine.yaml", "--out", "none", in: folder), status: 1,
          saying: "no prompt is short enough: ")
      }
    }

    @Test func `texts that the reward model reads in part are announced and counted`() throws {
      try withTemporaryFolder { folder in
        let result = try align("--prompt", cats(252), "--steps", "2", "--out", "run", in: folder)
        _ = output(of: result)
        #expect(result.errors.contains("may be longer than the 254 word pieces that the reward model reads"))
        let counts = try text(folder.appending(path: "run/metrics.jsonl")).matches(of: /"truncated_texts":(\d+)/)
          .compactMap { Int($0.1) }
        try #require(counts.count == 2 && counts[0] + counts[1] > 0)
        #expect(result.errors.contains("The reward model read \(counts[0] + counts[1]) of 8 texts in part only"))
        let reward = try tinyalign("reward", "--toward", "dog", "--", cats(255), cats(254), in: folder)
        _ = output(of: reward)
        #expect(reward.errors.contains("1 text is longer than the 254 word pieces"))
      }
    }

    @Test func `an empty text earns the least`() throws {
      try withTemporaryFolder { folder in
        let result = try tinyalign(
          "reward", "--toward", "no", "--json", "--", "", " ", "Interest rates rose.", "", in: folder)
        let rewards = output(of: result).matches(of: /"reward":(-?[0-9.]+)/).compactMap { Double($0.1) }
        try #require(rewards.count == 4)
        #expect([rewards[0], rewards[1], rewards[3]] == [-1, -1, -1] && rewards[2] > -0.5)
      }
    }

    @Test func `skipped steps are said, counted, and stop the run when they do not end`() throws {
      try withTemporaryFolder { folder in
        let settings = [
          "align", "--samples", "4", "--non-finite", "skip", "--algorithm", "reinforce", "--optimizer", "sgd",
          "--learning-rate", "1e3", "--weight-decay", "1",
        ]
        let stopped = try tinyalign(settings + ["--steps", "20", "--out", "stopped"], in: folder)
        #expect(stopped.status == 1)
        #expect(stopped.errorLines.last?.hasPrefix("tinyalign: step ") == true)
        #expect(stopped.errors.contains("5 steps in a row could not be applied"))
        #expect(stopped.errorLines.count { $0.contains("is skipped: ") } == 1)
        let skipped = try text(folder.appending(path: "stopped/skipped_steps.jsonl"))
          .matches(of: /"step":(\d+)/).compactMap { Int($0.1) }
        let first = try #require(skipped.first)
        try #require(skipped.count == 5 && first > 1)
        let result = try tinyalign(settings + ["--steps", "\(first + 1)", "--out", "run"], in: folder)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.errors.contains("Step \(first) is skipped: "))
        #expect(result.errors.contains("2 of \(first + 1) steps were skipped, since a number was not finite"))
      }
    }

    @Test func `a step without advantages leaves the model alone, and says so once`() throws {
      try withTemporaryFolder { folder in
        // The next token is nearly certain, so that both completions are the same.
        let result = try tinyalign(
          "align", "--prompt", "Once upon a", "--max-new-tokens", "1", "--samples", "2", "--steps", "3",
          "--checkpoint-every", "1", "--weight-decay", "1", "--out", "run", in: folder)
        _ = output(of: result)
        let tied = try text(folder.appending(path: "run/metrics.jsonl")).matches(of: /"tied_groups":1/).count
        #expect(tied == 3, "the test needs steps that are tied")
        #expect(result.errorLines.count { $0.contains("changes nothing: all its advantages are 0") } == 1)
        #expect(result.errors.contains("KL 0.000 nats per token."))
        let models = try [1, 3].map {
          try Data(contentsOf: folder.appending(path: "run/checkpoints/step-00000\($0)/model.safetensors"))
        }
        #expect(models[0] == models[1])
        let scores = try ["tinystories", "run/checkpoints/step-000003"].map {
          try output(of: tinyalign("score", "--model", $0, "--json", "Once upon a time there was a cat", in: folder))
        }
        #expect(scores[0] == scores[1])
      }
    }

    @Test func `a finished run is made longer, held to the same reference`() throws {
      try withTemporaryFolder { folder in
        _ = output(of: try align("--steps", "3", "--out", "run", in: folder))
        expectRefusal(
          try tinyalign("align", "--resume", "run", in: folder), status: 1,
          saying: "give --steps with more than its 3 steps")
        let result = try tinyalign("align", "--resume", "run", "--steps", "6", in: folder)
        _ = output(of: result)
        #expect(result.errors.contains("Resuming after 3 steps."))
        // The default schedule is linear: a third of the rate at step 3 of 3, half of it at step 4 of 6.
        #expect(
          result.errors.contains(
            "spans all 6 steps: the learning rate was 0.000133 at step 3 and is 0.0002 at step 4."))
        let metrics = try jsonLines(
          Metrics.self, keys: Metrics.keys, of: text(folder.appending(path: "run/metrics.jsonl")))
        #expect(metrics.map(\.step) == Array(1...6))
        // KL goes on from where it was, since the reference is still the model of the beginning.
        #expect(metrics[3].klForward > metrics[1].klForward / 2 && metrics[3].klForward > 1e-4)
        #expect(output(of: try tinyalign("verify", "run", in: folder)).contains("step 4: the same to the last bit"))
      }
    }

    @Test func `pretrain names the best model and its step`() throws {
      try withTemporaryFolder { folder in
        // So many passes over so little text that it gets worse again.
        let result = try makeTinyModel(in: folder, "--json")
        let validations = result.output.matches(of: /"step":(\d+),.*"validation_bits_per_byte":([0-9.]+)/)
          .compactMap { match in Int(match.1).flatMap { step in Double(match.2).map { (step: step, bits: $0) } } }
        let best = try #require(validations.min { $0.bits < $1.bits })
        let number = String(format: "%.4f", best.bits)
        #expect(result.errors.contains("the best model, that of step \(best.step): \(number) bits per byte"))
      }
    }
  }
}
