import Foundation
import JSON
import Reports
import Runs
import TestSupport
import Testing

private func report(_ run: SyntheticRun, status: RunManifest.Status = .finished, message: String? = nil) throws
  -> String
{
  try withTemporaryFolder { parent in
    try htmlReport(try run.write(to: parent.appending(path: "run"), status: status, message: message))
  }
}

/// The body of a page without its script; style sheet and script are not XML's business.
private func body(_ html: String) -> String {
  guard let start = html.range(of: "<body>"), let end = html.range(of: "<script>") else { return "" }
  // XML has no attributes without a value.
  return html[start.lowerBound..<end.lowerBound].replacing(" hidden>", with: " hidden=\"\">") + "</body>"
}

/// What the page runs.
private func script(_ html: String) -> String {
  guard let start = html.range(of: "<script>"), let end = html.range(of: "</script>") else { return "" }
  return String(html[start.upperBound..<end.lowerBound])
}

/// A token that became more probable by `gain` nats.
private func detail(_ text: String, _ gain: Float) -> TokenDetail {
  TokenDetail(
    tokenID: 7, text: text, logProbability: -3 + gain, referenceLogProbability: -3, entropy: 1, referenceEntropy: 2,
    alternatives: [
      .init(tokenID: 7, text: text, probability: 0.3, referenceProbability: 0.05),
      .init(tokenID: 8, text: " dog", probability: 0.1, referenceProbability: 0.2),
    ])
}

private func tree(step: Int, prompt: String, word: String) -> StoryTree {
  StoryTree(
    step: step, prompt: prompt,
    nodes: [
      .init(parent: -1, tokenID: 7, text: word, probability: 0.6, referenceProbability: 0.1, isEnd: false),
      .init(parent: -1, tokenID: 8, text: " dog", probability: 0.1, referenceProbability: 0.2, isEnd: false),
      .init(parent: 0, tokenID: 9, text: " purrs", probability: 0.5, referenceProbability: 0.5, isEnd: false),
    ])
}

/// A run whose followed stories have tokens and whose prompts have trees.
private func writeFull(to folder: URL, steps: [Int] = [0, 1, 2, 4]) throws -> RunReader {
  let prompts = ["Once upon a time there was", "The bird"]
  let writer = try RunWriter(
    folder: folder,
    manifest: RunManifest(
      programVersion: "1", recipe: ["toward": "cat", "max_gradient_norm": 0.5], seed: 1,
      model: .init(name: "m", sha256: ""), platform: "p", threadCount: 1))
  for metrics in SyntheticRun(steps: 4).metrics {
    try writer.append(samples: SyntheticRun().samples(step: metrics.step))
    try writer.append(metrics: metrics)
  }
  for step in steps {
    let words = step < 2 ? [" a", " dog"] : [" a", " cat"]
    try writer.append(
      followedStories: (0..<6).map { index in
        FollowedStory(
          step: step, index: index, prompt: prompts[index % 2], text: words.joined() + " \(index)",
          reward: 0.1 * Float(step), finishReason: index == 0 ? .stop : .length,
          tokens: words.map { detail($0, $0 == " cat" ? 2 : 0) })
      })
    try writer.append(storyTrees: prompts.map { tree(step: step, prompt: $0, word: " cat") })
  }
  writer.close()
  return try RunReader(folder: folder)
}

@Suite("The report") struct ReportTests {
  @Test func `it tells what was done and what came of it`() throws {
    let run = SyntheticRun()
    let html = try report(run)
    let markup = Markup(body(html))
    let metrics = run.metrics
    #expect(html.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\">"))
    #expect(markup.text.contains("Steered toward “cat”"))
    #expect(markup.text.contains(Numbers.fixed(metrics[0].rewardMean, 3)))
    #expect(markup.text.contains(Numbers.fixed(metrics[79].rewardMean, 3)))
    #expect(markup.text.contains("10,240 stories"))
    #expect(markup.count(ofClass: "chart") == 10)
    for section in [
      "How it went", "Before and after", "Best and worst completions", "The recipe", "Where it comes from",
      "What the words mean",
    ] { #expect(markup.text.contains(section)) }
    for step in [1, 20, 40, 60, 80] { #expect(markup.text.contains("Step \(step) ")) }
    for setting in ["learning_rate", "kl.direction", "optimizer.weight_decay"] {
      #expect(markup.text.contains(setting))
    }
    #expect(markup.text.contains("The model is far from its reference"))
    #expect(markup.text.contains("The stories are collapsing into few"))
  }

  @Test func `it loads nothing and runs nothing but its own script`() throws {
    let html = try report(SyntheticRun())
    #expect(html.ranges(of: "<script").count == 1)
    #expect(html.ranges(of: "</script").count == 1)
    // The example of FIPS 180-4.
    #expect(contentDigest(of: "abc") == "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=")
    let digest = contentDigest(of: script(html))
    #expect(html.contains("content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-\(digest)'\""))
    for name in ["charts.js", "tree.js", "heatmap.js"] { #expect(script(html).contains(pageAsset(name))) }
    for forbidden in ["<link", "<img", "<iframe", "@import", "url(", " src=", " href=", "onload", "onclick"] {
      #expect(!html.contains(forbidden), "\(forbidden)")
    }
    let addresses = html.ranges(of: "http").count - html.ranges(of: "http://www.w3.org/2000/svg").count
    #expect(addresses == html.ranges(of: "http-equiv").count)
    #expect(html.contains("prefers-color-scheme: dark"))
    #expect(html.contains("@media print"))
    #expect(html.contains("width=device-width"))
  }

  @Test func `stories, names and settings cannot become markup`() throws {
    let evil = "</blockquote><script>alert('x')</script> & \"q\" \u{1}\u{202E}"
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      let writer = try RunWriter(
        folder: folder,
        manifest: RunManifest(
          programVersion: evil, recipe: .object([.init(evil, .string(evil)), .init("toward", .string(evil))]), seed: 1,
          model: .init(name: evil, sha256: evil), rewardModel: .init(name: evil, sha256: evil), platform: evil,
          threadCount: 1))
      var samples = SyntheticRun().samples(step: 1)
      for index in samples.indices {
        samples[index].prompt = evil
        samples[index].text = evil
      }
      try writer.append(samples: samples)
      try writer.append(metrics: SyntheticRun().metrics[0])
      for step in 0...1 {
        try writer.append(followedStories: [
          FollowedStory(
            step: step, index: 0, prompt: evil, text: evil, reward: Float(step), finishReason: .length,
            tokens: [detail(evil, Float(step))])
        ])
        try writer.append(storyTrees: [tree(step: step, prompt: evil, word: evil)])
      }
      try writer.update(status: .failed, message: evil)
      let html = try htmlReport(try RunReader(folder: folder))
      #expect(html.ranges(of: "<script").count == 1)
      #expect(!script(html).contains("alert"))
      #expect(!html.contains("\u{202E}"))
      let markup = Markup(body(html))
      #expect(markup.text.contains("</blockquote><script>alert('x')</script> & \"q\""))
      #expect(markup.text.contains("One story takes over"))
      #expect(markup.elements.allSatisfy { $0.name != "script" })
      _ = Markup(trainingMetricsSVG([RunCurve(label: evil, metrics: [])]))
    }
  }

  @Test func `a run without steps and a run of one step have a report`() throws {
    let empty = Markup(body(try report(SyntheticRun(steps: 0), status: .running)))
    #expect(empty.text.contains("No step is done yet"))
    #expect(empty.elements.allSatisfy { $0.name != "svg" })
    let one = Markup(body(try report(SyntheticRun(steps: 1), status: .interrupted)))
    #expect(one.text.contains("In 1 step the model"))
    #expect(one.text.contains("it can be resumed"))
    let failed = Markup(body(try report(SyntheticRun(steps: 3), status: .failed, message: "loss is not finite")))
    #expect(failed.text.contains("The run failed"))
    #expect(failed.text.contains("loss is not finite"))
  }

  @Test func `figure and report are written into the run folder`() throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      try SyntheticRun().write(to: folder)
      let files = try writeReport(runFolder: folder)
      #expect(files.svg.lastPathComponent == "training_metrics.svg")
      #expect(files.html.lastPathComponent == "report.html")
      _ = Markup(String(decoding: try Data(contentsOf: files.svg), as: UTF8.self))
      #expect(try Data(contentsOf: files.html) == Data(try htmlReport(try RunReader(folder: folder)).utf8))
      try writeReport(runFolder: folder)
      #expect(throws: RunError.notARun(path: parent.path)) { try writeReport(runFolder: parent) }
    }
  }

  @Test func `it shows the tree of each prompt, coloured stories and the same story at several steps`() throws {
    try withTemporaryFolder { parent in
      let html = try htmlReport(try writeFull(to: parent.appending(path: "run")))
      let markup = Markup(body(html))
      #expect(markup.count(ofClass: "story-tree") == 2)
      #expect(markup.text.contains("What may follow"))
      #expect(markup.text.contains("before training"))
      #expect(markup.text.contains("after 4 updates"))
      // Four stories before and after; the other two as plain quotations.
      #expect(markup.count(ofClass: "pair") == 6)
      #expect(markup.count(ofClass: "heat-map") == 8)
      #expect(markup.count(ofClass: "telling") == 6)
      // Steps 0 and 1 told the same, and so did 2 and 4.
      for name in ["steps 0–1", "steps 2–4"] { #expect(markup.text.components(separatedBy: name).count == 7) }
      #expect(html.contains("<span class=\"prompt\">a</span> cat 0"))
      #expect(html.contains("clipped above 0.500"))
    }
  }

  @Test func `stories followed at two steps only are not told again step by step`() throws {
    try withTemporaryFolder { parent in
      let html = try htmlReport(try writeFull(to: parent.appending(path: "run"), steps: [0, 4]))
      #expect(Markup(body(html)).count(ofClass: "telling") == 0)
      #expect(Markup(body(html)).count(ofClass: "heat-map") == 8)
    }
  }

  @Test func `each picture of the report is a file, too`() throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      _ = try writeFull(to: folder)
      try writeReport(runFolder: folder)
      let figures = folder.appending(path: "figures")
      let names = try FileManager.default.contentsOfDirectory(atPath: figures.path).sorted()
      #expect(
        names == [
          "distinct.svg", "ending.svg", "entropy.svg", "frontier.svg", "gradient.svg", "heat_map.svg", "kl.svg",
          "length.svg", "reward.svg", "speed.svg", "story_tree.svg", "story_tree_2.svg",
          "time.svg",
        ])
      for name in names {
        let svg = String(decoding: try Data(contentsOf: figures.appending(path: name)), as: UTF8.self)
        #expect(Markup(svg).elements.first?.name == "svg", "\(name)")
        #expect(!svg.contains("var("), "\(name)")
      }
    }
  }

  @Test func `figures that cannot be written are named`() throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      try SyntheticRun(steps: 2).write(to: folder)
      try Data().write(to: folder.appending(path: "figures"))
      #expect {
        try writeReport(runFolder: folder)
      } throws: { error in
        guard case RunError.cannotWrite(let path, _) = error else { return false }
        return path.hasSuffix("figures") || path.hasSuffix("figures/")
      }
    }
  }

  @Test func `prompts, stories and recipes of a megabyte do not make the page as large`() throws {
    try withTemporaryFolder { parent in
      let long = String(repeating: "word <b> ", count: 120_000) + "the end"
      let writer = try RunWriter(
        folder: parent.appending(path: "run"),
        manifest: RunManifest(
          programVersion: "1", recipe: .object([.init("prompt", .array([.string(long), .string("b")]))]), seed: 1,
          model: .init(name: "m", sha256: ""), platform: "p", threadCount: 1))
      for metrics in SyntheticRun(steps: 3).metrics {
        var samples = Array(SyntheticRun().samples(step: metrics.step).prefix(30))
        for index in samples.indices { (samples[index].prompt, samples[index].text) = (long, long) }
        try writer.append(samples: samples)
        try writer.append(metrics: metrics)
        try writer.append(followedStories: [
          FollowedStory(
            step: metrics.step - 1, index: 0, prompt: long, text: long, reward: 0, finishReason: .length, tokens: [])
        ])
      }
      writer.close()
      let html = try htmlReport(try RunReader(folder: parent.appending(path: "run")))
      #expect(html.utf8.count < 500_000)
      #expect(html.contains("the end"))
    }
  }
}
