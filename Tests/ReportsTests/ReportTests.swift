import Foundation
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

/// The body of a page; its head has a style sheet, which is not XML's business.
private func body(_ html: String) -> String {
  guard let start = html.range(of: "<body>"), let end = html.range(of: "</body>") else { return "" }
  return String(html[start.lowerBound..<end.upperBound])
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
    #expect(markup.elements.filter { $0.name == "svg" }.count == 6)
    for section in [
      "How it went", "Before and after", "Best and worst stories", "The recipe", "Where it comes from",
      "What the words mean",
    ] { #expect(markup.text.contains(section)) }
    for step in [1, 20, 40, 60, 80] { #expect(markup.text.contains("Step \(step) ")) }
    for setting in ["learning_rate", "kl.direction", "optimizer.weight_decay"] {
      #expect(markup.text.contains(setting))
    }
    #expect(markup.text.contains("The model is far from its reference"))
    #expect(markup.text.contains("The stories are collapsing into few"))
  }

  @Test func `it loads nothing and runs nothing`() throws {
    let html = try report(SyntheticRun())
    for forbidden in ["<script", "<link", "<img", "<iframe", "@import", "url(", " src=", " href=", "onload", "onclick"]
    {
      #expect(!html.contains(forbidden), "\(forbidden)")
    }
    let addresses = html.ranges(of: "http").count - html.ranges(of: "http://www.w3.org/2000/svg").count
    #expect(addresses == html.ranges(of: "http-equiv").count)
    #expect(html.contains("default-src 'none'"))
    #expect(html.contains("prefers-color-scheme:dark"))
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
            step: step, index: 0, prompt: evil, text: evil, reward: Float(step), finishReason: .length, tokens: [])
        ])
      }
      try writer.update(status: .failed, message: evil)
      let html = try htmlReport(try RunReader(folder: folder))
      #expect(!html.contains("<script"))
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

  @Test func `both files are written into the run folder`() throws {
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
}

@Suite("What the numbers call for saying") struct ObservationTests {
  private func titles(_ metrics: [StepMetrics], clip: Double? = nil) -> [String] {
    observations(of: metrics, clip: clip).map(\.title)
  }

  @Test func `a good run needs no warning`() {
    let good = SyntheticRun(finalReward: 0.44, finalKL: 0.3, collapses: false).metrics
    #expect(titles(good).isEmpty)
    #expect(titles([]).isEmpty)
    #expect(titles(Array(good.prefix(1))).isEmpty)
  }

  @Test func `runaway KL, collapse, flat and falling rewards are named`() {
    let free = SyntheticRun().metrics
    #expect(titles(free) == ["The model is far from its reference", "The stories are collapsing into few"])
    let flat = SyntheticRun(finalReward: 0.146, finalKL: 0.01, collapses: false).metrics
    #expect(titles(flat) == ["The reward has hardly changed"])
    let falling = SyntheticRun(finalReward: -0.2, finalKL: 0.01, collapses: false).metrics
    #expect(titles(falling) == ["The reward has fallen"])
  }

  @Test func `a number that is not finite is named with its step`() {
    var metrics = SyntheticRun().metrics
    metrics[40].gradientNorm = .nan
    let found = observations(of: metrics)
    #expect(found.count == 1)
    #expect(found.first?.text.contains("step 41") == true)
  }

  @Test func `clipping, certainty, equal rewards and unfinished rise are named`() {
    var good = SyntheticRun(finalReward: 0.44, finalKL: 0.3, collapses: false).metrics
    #expect(titles(good, clip: 0.01) == ["The gradient was clipped almost always"])
    #expect(titles(good, clip: 10).isEmpty)
    for index in good.indices where index > 70 { good[index].entropy = 0.1 }
    #expect(titles(good) == ["The model has become nearly certain of every word"])
    for index in good.indices where index > 70 { good[index].rewardStd = 0 }
    #expect(titles(good).contains("All stories earn the same"))
    let half = Array(SyntheticRun(finalReward: 0.44, finalKL: 0.3, collapses: false).metrics.prefix(30))
    #expect(titles(half) == ["The reward was still rising at the end"])
  }
}
