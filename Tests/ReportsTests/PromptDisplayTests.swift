import Foundation
import JSON
import Reports
import Runs
import TestSupport
import Testing

private let template = "<|im_start|>user\nWhat do cats eat?<|im_end|>\n<|im_start|>assistant\n"
private let long =
  "Mark this. " + String(repeating: "Here is a long instruction. ", count: 30) + "Once upon a time there was"

/// Writes a run whose completions follow `prompts`, one each, at steps 1 and 2.
private func write(
  _ prompts: [String], labels: PromptLabels = PromptLabels(), texts: [String] = [" Fish.", " Mice and birds."],
  to folder: URL
) throws -> RunReader {
  let writer = try RunWriter(
    folder: folder,
    manifest: RunManifest(
      programVersion: "1", recipe: ["toward": "cat"], seed: 1,
      model: .init(name: "m", sha256: ""), platform: "p", threadCount: 1))
  try writer.write(labels)
  let pattern = SyntheticRun(steps: 1, stories: 1)
  for step in 1...2 {
    try writer.append(
      samples: prompts.enumerated().map { index, prompt in
        var sample = pattern.samples(step: 1)[0]
        (sample.step, sample.index, sample.prompt) = (step, index, prompt)
        (sample.text, sample.finishReason) = (texts[index % texts.count], .length)
        return sample
      })
    var metrics = pattern.metrics[0]
    metrics.step = step
    try writer.append(metrics: metrics)
  }
  for step in [0, 2] {
    try writer.append(
      followedStories: prompts.enumerated().map { index, prompt in
        FollowedStory(
          step: step, index: index, prompt: prompt, text: " answer \(index) at \(step)", reward: 0.5,
          finishReason: .length, tokens: [])
      })
  }
  writer.close()
  return try RunReader(folder: folder)
}

/// How often a text is in another.
private func count(_ text: String, in whole: String) -> Int { whole.components(separatedBy: text).count - 1 }

@Suite("Answers first, prompts once") struct PromptDisplayTests {
  @Test func `a report shows answers whole, and a long prompt or a template's once in each section, folded`() throws {
    try withTemporaryFolder { parent in
      let chat = try write(
        [template, template], labels: PromptLabels([(template, "What do cats eat?")]),
        to: parent.appending(path: "chat"))
      let html = try htmlReport(chat)
      #expect(html.contains("answering “What do cats eat?”"))
      #expect(html.contains("<summary>Prompt: <bdi>What do cats eat?</bdi></summary>"))
      // Before and after; best and worst. Nowhere else is there any markup of the template.
      #expect(count("&lt;|im_start|&gt;user", in: html) == 2)
      #expect(html.contains("<blockquote><bdi>Mice and birds.</bdi></blockquote>"))
      #expect(html.contains("<blockquote><bdi>answer 1 at 2</bdi></blockquote>"))
      let text = try htmlReport(try write([long, long], to: parent.appending(path: "long")))
      #expect(count("Mark this.", in: text) == 2)
      #expect(text.contains("<blockquote><bdi>Mice and birds.</bdi></blockquote>"))
      // Several prompts: each completion says which it follows.
      let several = try htmlReport(try write(["One day", long], to: parent.appending(path: "several")))
      #expect(several.contains("<p class=\"after\">after <bdi>One day</bdi></p>"))
      #expect(several.contains("<p class=\"from\">Prompt: <bdi class=\"prompt\">One day</bdi></p>"))
    }
  }

  @Test func `TensorBoard's table begins with the completion`() throws {
    try withTemporaryFolder { parent in
      let labels = PromptLabels([(template, "What do cats eat?")])
      let run = try write([template, template], labels: labels, to: parent.appending(path: "chat"))
      let bytes = try Data(contentsOf: try writeTensorBoard(runFolder: run.folder))
      let text = String(decoding: bytes, as: UTF8.self)
      #expect(text.contains("Prompt: What do cats eat?\n\n|  | completion | reward | advantage | index |\n"))
      #expect(text.contains("| best |  Fish. | ") && !text.contains("im_start") && !text.contains("im&#95;start"))
    }
  }

  @Test func `the terminal shows the answer, in several lines where it is long`() throws {
    let labels = PromptLabels([(template, "What do cats eat?")])
    var view = TrainingView(steps: 4, samples: 1, labels: labels)
    var sample = SyntheticRun(steps: 1, stories: 1).samples(step: 1)[0]
    (sample.prompt, sample.reward) = (template, 0.5)
    sample.text = " " + (1...20).map { "word\($0)" }.joined(separator: " ")
    view.add(SyntheticRun(steps: 1).metrics[0], [sample])
    let best = view.lines(columns: 80, rows: 24).suffix(2)
    #expect(best.first?.hasPrefix("best 0.500  word1 word2 ") == true)
    #expect(best.last?.hasPrefix("            word") == true && best.last?.hasSuffix("word20") == true)
    #expect(best.allSatisfy { $0.count <= 80 })
    (sample.prompt, sample.text) = (long, " a cat")
    view.add(SyntheticRun(steps: 1).metrics[0], [sample])
    #expect(view.lines(columns: 80, rows: 24).last == "best 0.500  … a cat")
  }

  @Test func `labels are written and read again, and plain prompts need none`() throws {
    try withTemporaryFolder { parent in
      let labels = PromptLabels([(template, "What do cats eat?"), ("plain", "plain")])
      let run = try write([template], labels: labels, to: parent.appending(path: "run"))
      #expect(try run.promptLabels() == labels)
      #expect(labels[template] == "What do cats eat?" && labels["plain"] == "plain" && labels.words(of: "plain") == nil)
      let plain = try write(["a"], to: parent.appending(path: "plain"))
      #expect(try plain.promptLabels().isEmpty)
      #expect(!FileManager.default.fileExists(atPath: plain.folder.appending(path: RunFolder.prompts).path))
    }
  }
}

@Suite("Texts of any direction") struct DirectionTests {
  @Test func `what is isolated turns nothing beside it, whatever it holds`() {
    #expect(isolated("cat") == "cat" && isolated("猫 é") == "猫 é")
    #expect(isolated("قطة") == "\u{2068}قطة\u{2069}")
    #expect(isolated("\u{202E}evil") == "\u{2068}\u{FFFD}evil\u{2069}")
    // An isolate that is left open, or closed too often, would reach beyond.
    #expect(isolated("\u{2066}open") == "\u{2068}\u{FFFD}open\u{2069}")
    #expect(isolated("a\u{2069}b") == "\u{2068}a\u{FFFD}b\u{2069}")
  }

  @Test func `markup keeps isolates that are closed, and no others`() {
    #expect(escaped("“\u{2068}قطة\u{2069}” 0.5") == "“\u{2068}قطة\u{2069}” 0.5")
    #expect(escaped("\u{2066}open") == "\u{FFFD}open" && escaped("closed\u{2069}") == "closed\u{FFFD}")
    #expect(escaped("\u{2067}line\nnext\u{2069}") == "\u{FFFD}line\nnext\u{FFFD}")
    #expect(escaped("\u{202A}\u{202B}\u{202C}\u{202D}\u{202E}") == String(repeating: "\u{FFFD}", count: 5))
  }

  @Test func `heaps of marks are cut to four a letter`() {
    let heap = "Z" + String(repeating: "\u{301}", count: 40) + "a\u{301}"
    #expect(escaped(heap).unicodeScalars.filter { $0 == "\u{301}" }.count == 5)
    #expect(TensorBoardText.cell(heap).unicodeScalars.filter { $0 == "\u{301}" }.count == 5)
  }

  @Test func `a report isolates its target, model and prompt from its figures`() throws {
    try withTemporaryFolder { parent in
      var run = SyntheticRun(steps: 2, stories: 4)
      run.recipe = ["toward": "قطة", "prompt": "مرحبا"]
      let html = try htmlReport(try run.write(to: parent.appending(path: "run")))
      #expect(html.contains("the similarity to “\u{2068}قطة\u{2069}”, went from <b>"))
      #expect(html.contains("Steered toward “\u{2068}قطة\u{2069}”"))
    }
  }
}

@Suite("Words that moved") struct WordFindingTests {
  @Test func `whole words are counted, in completions`() {
    let before = (0..<100).map { $0 < 3 ? " a Cat sat" : $0 < 30 ? " concatenated cats" : " a girl" }
    let after = (0..<100).map { $0 < 74 ? " a cat, a cat" : " a category" }
    let finding = wordFinding(before: (step: 1, texts: before), after: (step: 30, texts: after))
    #expect(
      finding
        == "Among the completions of step 1 and step 30, “cat” was in 3.0% and is now in 74%; “girl” was in 70% and is "
        + "now in 0%.")
  }

  @Test func `what chance may do is no finding`() {
    let texts = (0..<16).map { "word\($0)" }
    #expect(wordFinding(before: (step: 1, texts: texts), after: (step: 2, texts: texts.map { $0 + "x" })) == nil)
    #expect(wordFinding(before: (step: 1, texts: []), after: (step: 2, texts: texts)) == nil)
    #expect(wordFinding(before: (step: 2, texts: texts), after: (step: 2, texts: texts)) == nil)
  }

  @Test func `a report counts words in the completions of the tree's prompt`() throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      let writer = try RunWriter(
        folder: folder,
        manifest: RunManifest(
          programVersion: "1", recipe: ["toward": "cat", "prompts": "f"], seed: 1, model: .init(name: "m", sha256: ""),
          platform: "p", threadCount: 1))
      let pattern = SyntheticRun(steps: 1, stories: 1)
      for step in 1...4 {
        // Only the odd steps have the tree's prompt.
        let prompt = step % 2 == 1 ? "tree" : "other"
        try writer.append(
          samples: (0..<20).map { index in
            var sample = pattern.samples(step: 1)[0]
            (sample.step, sample.index, sample.prompt) = (step, index, prompt)
            sample.text = index < (step == 3 ? 15 : 1) ? " cat" : " dog"
            return sample
          })
        var metrics = pattern.metrics[0]
        metrics.step = step
        try writer.append(metrics: metrics)
      }
      try writer.append(
        storyTrees: [
          StoryTree(
            step: 4, prompt: "tree",
            nodes: [
              .init(parent: -1, tokenID: 1, text: " cat", probability: 0.5, referenceProbability: 0.1, isEnd: false)
            ])
        ])
      writer.close()
      let html = try htmlReport(try RunReader(folder: folder))
      #expect(html.contains("Among the completions of step 1 and step 3, “cat” was in 5.0% and is now in 75%"))
    }
  }
}
