import Foundation
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
    #expect(titles(changed(\.klForward) { $0 < 0.5 ? 0.2 : 1.2 }) == ["The model is far from its reference"])
    #expect(titles(changed(\.klForward) { $0 < 0.5 ? 0.2 : 0.9 }).isEmpty)
  }

  @Test func `KL that gains speed is named before it is far, KL that slows down is not`() {
    #expect(titles(changed(\.klForward) { 0.9 * $0 * $0 * $0 }) == ["KL is running away"])
    #expect(titles(changed(\.klForward) { 0.9 * $0.squareRoot() }).isEmpty)
    #expect(titles(changed(\.klForward) { 0.2 * $0 * $0 * $0 }).isEmpty)
  }

  @Test func `the step at which KL passed one is told`() {
    let found = observations(of: changed(\.klForward) { $0 < 0.5 ? 0.2 : 1.2 })
    #expect(found.first?.text.contains("It passed 1 at step 41.") == true)
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
