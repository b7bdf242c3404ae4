import Alignment
import Foundation
import Runs
import TestSupport
import Testing
import Tokenizers
import Transformers

/// What a run folder tells of tokens, held against the models scoring whole texts.
extension AlignmentRunTests {
  /// Runs `body` with a finished run, its first model and the model that came out.
  private func withRun(
    _ change: (inout Recipe) -> Void = { _ in },
    _ body: (RunReader, _ before: TextModel, _ after: TextModel) throws -> Void
  ) throws {
    try withModels { folder in
      let recipe = try recipe(in: folder) {
        $0.steps = 9
        $0.maxNewTokens = 5
        change(&$0)
      }
      let run = try AlignmentRun(recipe: recipe)
      let out = folder.appending(path: "out")
      _ = try run.run(in: out, report: { _, _ in }, shouldStop: { false })
      try body(try RunReader(folder: out), try TextModel(named: recipe.model), run.model)
    }
  }

  /// log p of the last `count` of `ids`, nats.
  private func scores(_ model: TextModel, _ ids: [Int], last count: Int) -> [Float] {
    Scorer(model.model).logProbabilities(of: [ids])[0].suffix(count).compactMap(\.self)
  }

  private func close(_ actual: [Float], _ expected: [Float], _ label: String) {
    #expect(actual.count == expected.count, "\(label)")
    for (one, other) in zip(actual, expected) { #expect(abs(one - other) < 2e-5, "\(label): \(one) and \(other)") }
  }

  @Test(arguments: [nil, 2])
  func `samples tell what both models thought of each token`(microBatch: Int?) throws {
    try withRun {
      $0.microBatch = microBatch
    } _: { reader, before, _ in
      let metrics = try reader.metrics()
      for step in [1, 9] {
        let samples = try reader.samples(steps: [step])
        #expect(samples.count == 6)
        for sample in samples {
          let ids = before.tokenizer.encode(sample.prompt) + sample.tokenIDs
          let expected = scores(before, ids, last: sample.tokenIDs.count)
          close(sample.referenceLogProbabilities, expected, "reference at step \(step)")
          if step == 1 { close(sample.logProbabilities, expected, "policy at step 1") }
          close([sample.logProbabilities.reduce(0, +)], [sample.logProbability], "sum at step \(step)")
          #expect(sample.tokenTexts?.joined() == sample.text && sample.entropies.count == sample.tokenIDs.count)
        }
        let tokens = Float(samples.reduce(0) { $0 + $1.tokenIDs.count })
        let entropy = samples.flatMap(\.entropies).reduce(0, +) / tokens
        close([entropy], [Float(metrics[step - 1].entropy)], "entropy at step \(step)")
      }
      let last = try reader.samples(steps: [9])
      #expect(last.contains { $0.logProbabilities != $0.referenceLogProbabilities })
    }
  }

  @Test func `followed stories show their tokens as both models see them`() throws {
    try withRun { reader, before, after in
      let stories = try reader.followedStories().stories
      #expect(stories.map(\.step) == [0, 4, 8, 9].flatMap { [Int](repeating: $0, count: 4) })
      #expect(stories.map(\.index) == (0..<4).flatMap { _ in 0..<4 })
      for story in stories where story.step == 0 || story.step == 9 {
        let policy = story.step == 0 ? before : after
        let prompt = before.tokenizer.encode(story.prompt)
        let ids = story.tokens.map(\.tokenID)
        close(story.tokens.map(\.logProbability), scores(policy, prompt + ids, last: ids.count), "policy")
        close(story.tokens.map(\.referenceLogProbability), scores(before, prompt + ids, last: ids.count), "reference")
        #expect(story.tokens.map(\.text).joined() == story.text)
        for (place, token) in story.tokens.enumerated() {
          // Seven tokens, of which each model names its five favourites.
          #expect((5...7).contains(token.alternatives.count))
          let probabilities = token.alternatives.map(\.probability)
          #expect(probabilities == probabilities.sorted(by: >))
          for alternative in token.alternatives {
            let path = prompt + ids.prefix(place) + [alternative.tokenID]
            close([log(alternative.probability)], scores(policy, path, last: 1), "alternative")
            close([log(alternative.referenceProbability)], scores(before, path, last: 1), "alternative, reference")
          }
          let all = (0..<7).map { exp(scores(policy, prompt + ids.prefix(place) + [$0], last: 1)[0]) }
          close([token.entropy], [all.reduce(0) { $0 - $1 * log($1) }], "entropy")
        }
      }
    }
  }

  @Test func `story trees hold the probable continuations with the probabilities of both models`() throws {
    try withRun { reader, before, after in
      let trees = try reader.storyTrees().trees
      #expect(trees.map(\.step) == [0, 4, 8, 9] && trees.allSatisfy { $0.prompt == "abc" })
      for tree in trees where tree.step == 0 || tree.step == 9 {
        let policy = tree.step == 0 ? before : after
        var paths: [[Int]] = []
        var weights: [Float] = []
        for node in tree.nodes {
          let path = (node.parent < 0 ? before.tokenizer.encode("abc") : paths[node.parent]) + [node.tokenID]
          paths.append(path)
          close([log(node.probability)], scores(policy, path, last: 1), "policy after \(path)")
          close([log(node.referenceProbability)], scores(before, path, last: 1), "reference after \(path)")
          weights.append(node.probability * (node.parent < 0 ? 1 : weights[node.parent]))
          #expect(node.isEnd == (node.tokenID == 6) && node.isEnd == node.text.isEmpty)
        }
        #expect(Set(paths).count == paths.count)
        #expect(paths.map(\.count).max() == 8, "as deep as the run's stories")
        #expect(!tree.nodes.contains { $0.parent >= 0 && tree.nodes[$0.parent].isEnd })
        // All tokens after the prompt are probable enough, so that both models' probabilities add up to 1.
        let roots = tree.nodes.filter { $0.parent < 0 }
        #expect(roots.count == 7)
        close([roots.reduce(0) { $0 + $1.probability }], [1], "policy")
        close([roots.reduce(0) { $0 + $1.referenceProbability }], [1], "reference")
        // Nothing more probable is left out of what was unfolded.
        for (index, node) in tree.nodes.enumerated()
        where weights[index] >= 0.05 && !node.isEnd && paths[index].count < 8 {
          let children = tree.nodes.filter { $0.parent == index }
          #expect(children.reduce(0) { $0 + $1.probability } > 0.7, "\(paths[index])")
        }
      }
    }
  }

  @Test func `with several prompts the stories and trees are shared out`() throws {
    try withRun {
      $0.promptTexts = TextList(["abc", "b", "abc"])
      $0.samples = 6
      $0.samplesPerPrompt = 2
    } _: { reader, _, _ in
      let first = try reader.followedStories().stories.filter { $0.step == 0 }
      #expect(first.map(\.prompt) == ["abc", "b", "abc"])
      #expect(try reader.storyTrees().trees.filter { $0.step == 0 }.map(\.prompt) == ["abc", "b"])
    }
  }

  @Test func `all prompts are followed before and after, a few of them in between`() throws {
    // Seven tokens give enough different prompts.
    let prompts = ["a", "b", "c", "d", "e", "ab", "bc", "cd", "de", "abc"]
    try withRun {
      $0.promptTexts = TextList(prompts)
      $0.samples = 4
      $0.samplesPerPrompt = 2
    } _: { reader, _, _ in
      let stories = try reader.followedStories().stories
      let trees = try reader.storyTrees().trees
      for step in [0, 9] {
        #expect(stories.filter { $0.step == step }.map(\.prompt) == prompts)
        #expect(trees.filter { $0.step == step }.map(\.prompt) == prompts)
      }
      for step in [4, 8] {
        #expect(stories.filter { $0.step == step }.map(\.prompt) == Array(prompts.prefix(4)))
        #expect(trees.filter { $0.step == step }.map(\.prompt) == Array(prompts.prefix(4)))
      }
      #expect(try reader.storyPairs().map(\.prompt) == prompts)
    }
  }

  @Test func `a run of version 0.1.0, which followed fewer prompts, goes on with what it has`() throws {
    try withModels { folder in
      let recipe = try recipe(in: folder) {
        $0.steps = 9
        $0.maxNewTokens = 5
        $0.promptTexts = TextList(["a", "b", "c", "d", "e", "ab"])
        $0.samples = 4
        $0.samplesPerPrompt = 2
      }
      let out = folder.appending(path: "out")
      var done = 0
      _ = try AlignmentRun(recipe: recipe).run(in: out, report: { _, _ in done += 1 }, shouldStop: { done == 5 })
      // Four stories and three trees of each step were all that it wrote.
      for (name, count) in [("followed_stories.jsonl", 4), ("story_trees.jsonl", 3)] {
        let file = out.appending(path: name)
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        let kept = [0, 4].flatMap { step in lines.filter { $0.hasPrefix("{\"step\":\(step),") }.prefix(count) }
        try (kept.joined(separator: "\n") + "\n").write(to: file, atomically: true, encoding: .utf8)
      }
      _ = try AlignmentRun(resuming: out).resume(in: out, report: { _, _ in }, shouldStop: { false })
      let reader = try RunReader(folder: out)
      let counts = [0, 4, 8, 9].map { step in
        [
          try? reader.followedStories().stories.filter { $0.step == step }.count,
          try? reader.storyTrees().trees.filter { $0.step == step }.count,
        ]
      }
      #expect(counts == [[4, 3], [4, 3], [4, 4], [6, 6]])
    }
  }
}
