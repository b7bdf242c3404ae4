import Foundation
import JSON
import Reports
import Runs
import TestSupport
import Testing

/// A run that needs no warning.
private let good = SyntheticRun(finalReward: 0.44, finalKL: 0.3, collapses: false).metrics

private func titles(_ metrics: [StepMetrics], clip: Double? = nil) -> [String] {
  observations(of: metrics, clip: clip).map(\.title)
}

/// `good` with a value of each step replaced by what `value` makes of its position, 0 to 1.
private func changed(_ path: WritableKeyPath<StepMetrics, Double>, _ value: (Double) -> Double) -> [StepMetrics] {
  var metrics = good
  for index in metrics.indices { metrics[index][keyPath: path] = value(Double(index) / Double(metrics.count - 1)) }
  return metrics
}

@Suite("What the numbers call for saying") struct ObservationTests {
  @Test func `a good run needs no warning`() {
    #expect(titles(good).isEmpty)
    #expect(titles([]).isEmpty)
    #expect(titles(Array(good.prefix(1))).isEmpty)
    for count in good.indices { #expect(!titles(Array(good.prefix(count))).contains("KL is running away")) }
  }

  @Test func `runaway KL and collapse are named`() {
    #expect(
      titles(SyntheticRun().metrics) == ["The model is far from its reference", "The stories are collapsing into few"])
    #expect(titles(changed(\.klForward) { min(1.2, 2.4 * $0) }) == ["The model is far from its reference"])
    #expect(titles(changed(\.klForward) { min(0.9, 1.8 * $0) }).isEmpty)
  }

  @Test func `KL that gains speed is named before it is far, KL that slows down is not`() {
    #expect(titles(changed(\.klForward) { 0.9 * $0 * $0 * $0 }) == ["KL is running away"])
    #expect(titles(changed(\.klForward) { 0.9 * $0.squareRoot() }).isEmpty)
    #expect(titles(changed(\.klForward) { 0.2 * $0 * $0 * $0 }).isEmpty)
  }

  @Test func `the step at which KL passed one is told`() {
    let found = observations(of: changed(\.klForward) { $0 < 0.5 ? 1.99 * $0 : 1.2 })
    #expect(found.first?.text.contains("It passed 1 at step 41.") == true)
  }

  /// KL and mean reward of the first steps; those after them go on as the last.
  private func course(kl: [Double], reward: [Double]) -> [StepMetrics] {
    var metrics = good
    for index in metrics.indices {
      metrics[index].klForward = kl[min(index, kl.count - 1)]
      metrics[index].rewardMean = reward[min(index, reward.count - 1)] + (index > 40 ? 0.1 : 0)
    }
    return metrics
  }

  @Test func `an update that alone moved the model far is named, whatever came of the run`() {
    // The first updates of runs of the model in the program at 25, 7.5 and 2.5 times its learning rate.
    let far = course(kl: [0, 5.87, 3.738, 2.5, 1.5, 0.9], reward: [0.139, 0.109, 0.133, 0.181])
    let found = observations(of: far)
    #expect(found.map(\.title) == ["Updates are probably too large"])
    #expect(found.first?.kind == .warning)
    #expect(found.first?.text.contains("Update 1 alone moved the model by 5.9 nats per token") == true)
    #expect(titles(course(kl: [0, 1.839, 0.858, 0.551, 0.407], reward: [0.139, 0.274])) == found.map(\.title))
    #expect(titles(course(kl: [0, 0.437, 0.2, 0.3], reward: [0.139, 0.207])) == found.map(\.title))
    // As fast as a good run goes, and a rise that stays.
    #expect(titles(course(kl: [0, 0.08, 0.059, 0.119, 0.21, 0.3], reward: [0.139, 0.164, 0.191, 0.217])).isEmpty)
    #expect(titles(course(kl: [0, 0.3, 0.35], reward: [0.139, 0.2])).isEmpty)
    // It need not be the first update, and a reward that was thrown back is told.
    let late = observations(
      of: course(kl: [0, 0.05, 0.1, 0.9, 0.7], reward: [0.2, 0.25, 0.4, 0.1, 0.35]))
    #expect(late.first?.text.contains("Update 3 alone") == true)
    #expect(late.first?.text.contains("The mean reward fell from 0.400 to 0.100 after it.") == true)
  }

  @Test func `a reward that was thrown back before it rose is named, although the run ended well`() {
    let back = changed(\.rewardMean) { 0.3 - 0.2 * sin(3.1416 * min(1, 4 * $0)) + 0.3 * max(0, $0 - 0.25) }
    let found = observations(of: back)
    #expect(found.first?.title == "Updates are probably too large")
    #expect(
      found.first?.text.contains("thrown back first: it fell from 0.253 to 0.103 at about step 11") == true, "\(found)")
    #expect(!titles(changed(\.rewardMean) { 0.3 - 0.02 * sin(12.6 * $0) + 0.2 * $0 }).contains(found[0].title))
    #expect(observations(of: back, samePrompts: false).map(\.title).contains(found[0].title) == false)
  }

  @Test func `where prompts change from step to step, a difference between prompts is no update`() {
    let turns = course(kl: (0..<80).map { $0.isMultiple(of: 2) ? 0.1 : 0.7 }, reward: [0.2, 0.3])
    #expect(titles(turns) == ["Updates are probably too large"])
    #expect(observations(of: turns, samePrompts: false).isEmpty)
    // The first update starts from no difference at any prompt, and a jump beyond what is usual is one.
    #expect(observations(of: course(kl: [0, 0.9, 0.7, 0.8], reward: [0.2, 0.3]), samePrompts: false).count == 1)
    var manifest = RunManifest(
      programVersion: "1", recipe: ["prompt": ["a", "b"], "samples": 8, "samples_per_prompt": 4], seed: 1,
      model: .init(name: "m", sha256: ""), platform: "", threadCount: 1)
    #expect(observations(of: manifest, metrics: turns).count == 1)
    manifest.recipe = ["prompt": ["a", "b"], "samples": 8, "samples_per_prompt": 8]
    #expect(observations(of: manifest, metrics: turns).isEmpty)
    manifest.recipe = ["prompts": "many.jsonl", "samples": 8]
    #expect(observations(of: manifest, metrics: turns).isEmpty)
  }

  @Test func `stories that have become one are named so`() {
    var metrics = good
    for index in metrics.indices where index > 60 { metrics[index].distinctStories = 1 }
    #expect(titles(metrics) == ["The stories have become one"])
    for index in metrics.indices where index > 60 { metrics[index].distinctStories = 20 }
    #expect(titles(metrics) == ["The stories are collapsing into few"])
    for index in metrics.indices where index > 60 { metrics[index].distinctStories = 60 }
    #expect(titles(metrics).isEmpty)
  }

  @Test func `entropy that is nearly gone is named, entropy that falls somewhat is not`() {
    #expect(titles(changed(\.entropy) { 2 - 1.9 * $0 }) == ["The model has become nearly certain of every word"])
    #expect(titles(changed(\.entropy) { 2 - 1.2 * $0 }).isEmpty)
  }

  @Test func `rewards that are all the same are named`() {
    #expect(titles(changed(\.rewardStd) { $0 > 0.9 ? 0 : 0.1 }) == ["All stories earn the same"])
    #expect(titles(changed(\.rewardStd) { $0 > 0.9 ? 0.001 : 0.1 }).isEmpty)
  }

  @Test func `groups that all tie are named although prompts differ, many that tie are noted`() {
    var metrics = good
    for index in metrics.indices { metrics[index].tiedGroups = index > 70 ? 4 : 1 }
    #expect(observations(of: metrics, groups: 4).map(\.title) == ["Every advantage is 0"])
    #expect(observations(of: metrics, groups: 8).isEmpty)
    #expect(observations(of: metrics, groups: 6).map(\.title) == ["Most groups tie"])
    #expect(observations(of: metrics, groups: 6).map(\.kind) == [.note])
    #expect(titles(metrics).isEmpty && observations(of: good, groups: 4).isEmpty)
    var manifest = RunManifest(
      programVersion: "1", recipe: ["prompt": ["a", "b"], "samples": 8, "samples_per_prompt": 2, "algorithm": "rloo"],
      seed: 1, model: .init(name: "m", sha256: ""), platform: "", threadCount: 1)
    #expect(observations(of: manifest, metrics: metrics).map(\.title) == ["Every advantage is 0"])
    // Without a comparison within prompts a tie costs nothing.
    manifest.recipe = ["prompt": ["a", "b"], "samples": 8, "samples_per_prompt": 2, "algorithm": "reinforce"]
    #expect(observations(of: manifest, metrics: metrics).isEmpty)
  }

  @Test func `flat and falling rewards are named`() {
    let flat = SyntheticRun(finalReward: 0.146, finalKL: 0.01, collapses: false).metrics
    #expect(titles(flat) == ["The reward has hardly changed"])
    let falling = SyntheticRun(finalReward: -0.2, finalKL: 0.01, collapses: false).metrics
    #expect(titles(falling) == ["The reward has fallen"])
    // Too few steps say nothing yet.
    #expect(titles(Array(flat.prefix(9))).isEmpty)
  }

  @Test func `a reward that still rises at the end is noted`() {
    let found = observations(of: Array(good.prefix(30)))
    #expect(found.map(\.title) == ["The reward was still rising at the end"])
    #expect(found.map(\.kind) == [.note])
  }

  @Test func `clipping at nearly every step is noted, clipping now and then is not`() {
    let found = observations(of: good, clip: 0.01)
    #expect(found.map(\.title) == ["The gradient was clipped almost always"])
    #expect(found.map(\.kind) == [.note])
    #expect(found.first?.text.contains("at 80 of 80 steps") == true)
    #expect(titles(good, clip: 10).isEmpty)
    let half = changed(\.gradientNorm) { $0 < 0.5 ? 2 : 0.5 }
    #expect(titles(half, clip: 1).isEmpty)
    #expect(titles(good).isEmpty)
  }

  @Test func `steps that take longer and longer are noted with their cause`() {
    var slow = changed(\.seconds) { 0.2 + 0.3 * $0 }
    #expect(titles(slow) == ["Steps take longer and longer"])
    #expect(observations(of: slow).first?.cause.contains("as many tokens as before") == true)
    for index in slow.indices { slow[index].tokens = 512 + 10 * index }
    #expect(observations(of: slow).first { $0.title.hasPrefix("Steps") }?.cause.contains("become longer") == true)
    #expect(titles(changed(\.seconds) { 0.2 + 0.05 * $0 }).isEmpty)
    // The first step warms up: that it takes longer says nothing.
    #expect(titles(changed(\.seconds) { $0 == 0 ? 5 : 0.2 }).isEmpty)
  }

  @Test func `a number that is not finite is named with its step, and nothing else`() {
    for path in [\StepMetrics.gradientNorm, \.loss, \.rewardMean, \.klForward, \.entropy] {
      for value in [Double.nan, .infinity] {
        var metrics = SyntheticRun().metrics
        metrics[40][keyPath: path] = value
        let found = observations(of: metrics)
        #expect(found.map(\.title) == ["A number is not finite"])
        #expect(found.first?.text.contains("step 41") == true)
      }
    }
  }

  @Test func `a failed run says why first`() {
    var manifest = RunManifest(
      programVersion: "1", recipe: ["max_gradient_norm": 0.01], seed: 1, model: .init(name: "m", sha256: ""),
      platform: "", threadCount: 1, status: .failed, message: "the disk is full")
    let found = observations(of: manifest, metrics: good)
    #expect(found.map(\.title) == ["The run failed", "The gradient was clipped almost always"])
    #expect(found.first?.text == "the disk is full")
    manifest.status = .finished
    manifest.recipe = ["steps": 3]
    #expect(observations(of: manifest, metrics: good).isEmpty)
  }

  @Test func `skipped steps are counted, and the last is named with its reason`() {
    let manifest = RunManifest(
      programVersion: "1", recipe: [:], seed: 1, model: .init(name: "m", sha256: ""), platform: "", threadCount: 1)
    #expect(observations(of: manifest, metrics: good, skipped: []).isEmpty)
    let found = observations(
      of: manifest, metrics: good,
      skipped: [SkippedStep(step: 3, reason: "a"), SkippedStep(step: 9, reason: "the loss is infinite")])
    #expect(found.map(\.title) == ["Steps were skipped"])
    #expect(
      found.first?.text == "2 steps were not applied, the last of them step 9: the loss is infinite")
  }

  @Test func `warnings come before notes, and all say what was seen, why, and what to do`() {
    var metrics = SyntheticRun().metrics
    for index in metrics.indices {
      metrics[index].seconds = 1 + Double(index)
      if index > 70 { metrics[index].rewardStd = 0 }
    }
    let found = observations(of: metrics, clip: 0.001)
    #expect(found.count == 5)
    let kinds = found.map(\.kind)
    #expect(kinds == kinds.filter { $0 == .warning } + kinds.filter { $0 == .note })
    for one in found {
      for words in [one.text, one.cause, one.remedy] {
        #expect(words.hasSuffix("."), "\(one.title)")
        #expect(words.count > 20, "\(one.title)")
      }
    }
  }

  @Test func `observations are escaped, and empty parts left out`() {
    let evil = "<script>&\"'"
    let html = observationsHTML([
      Observation(kind: .warning, title: evil, text: evil, cause: evil, remedy: evil),
      Observation(kind: .note, title: "a", text: "b"),
    ])
    let markup = Markup("<div>\(html)</div>")
    #expect(!html.contains("<script"))
    #expect(markup.text.components(separatedBy: evil).count == 5)
    #expect(markup.count(ofClass: "warning") == 1)
    #expect(markup.count(ofClass: "note") == 1)
    #expect(markup.elements.filter { $0.name == "dl" }.count == 1)
    #expect(observationsHTML([]).isEmpty)
  }
}
