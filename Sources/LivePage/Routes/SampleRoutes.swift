import Foundation
import JSON
import Reports
import Runs

extension PageRoutes {
  /// The stories of a step are compared among so many of them.
  static let comparedSamples = 4_096

  /// A page of stories.
  func samples(_ request: HTTPRequest) throws -> HTTPAnswer {
    let run = try run(request)
    let page = try run.samples.page(try SampleQuery(request))
    let labels = run.promptLabels()
    let bytes = jsonObject { writer in
      writer.member("total", page.total, first: true)
      writer.member("first_step", page.steps?.first)
      writer.member("last_step", page.steps?.last)
      writer.member("indexed", page.isIndexed)
      writer.member("problems", strings: page.problems)
      writer.member("samples", list: page.samples) { Self.write($0, words: labels.words(of: $0.prompt), to: &$1) }
    }
    return HTTPAnswer(body: .bytes(bytes))
  }

  /// One story with its heat map.
  func sample(_ request: HTTPRequest) throws -> HTTPAnswer {
    let run = try run(request)
    guard let step = try request.integer("step"), let index = try request.integer("index") else {
      throw HTTPProblem(400, "step and index are missing: give the sample's")
    }
    let all = try run.samples.samples(ofStep: step, limit: Self.comparedSamples)
    let sample = try all.first { $0.index == index } ?? run.samples.sample(step: step, index: index)
    guard let sample else {
      throw HTTPProblem(404, "the run has no sample \(index) of step \(step)")
    }
    let isWhole = all.count < Self.comparedSamples
    let words = run.promptLabels().words(of: sample.prompt)
    let map = HeatMap(
      sample: sample, advantages: isWhole ? prefixAdvantages(of: sample, among: all) : nil,
      tree: tree(before: step, prompt: sample.prompt, of: run), words: words)
    let bytes = jsonObject { writer in
      writer.key("sample", first: true)
      Self.write(sample, words: words, to: &writer)
      writer.member("heat_map", map.html)
    }
    return HTTPAnswer(body: .bytes(bytes))
  }

  /// The newest tree of a prompt that the model had when it told the stories of a step.
  private func tree(before step: Int, prompt: String, of run: WatchedRun) -> StoryTree? {
    guard let trees = try? run.trees(),
      let last = trees.steps(of: prompt).last(where: { $0 < step })
    else { return nil }
    return try? trees.tree(of: prompt, step: last, at: run.place)
  }

  private static func write(_ sample: SampleRecord, words: String?, to writer: inout JSONWriter) {
    writer.raw("{")
    writer.member("step", sample.step, first: true)
    writer.member("index", sample.index)
    writer.member("prompt", sample.prompt)
    writer.member("words", words)
    writer.member("text", sample.text)
    writer.member("reward", sample.reward)
    writer.member("advantage", sample.advantage)
    writer.member("kl", sample.logRatio)
    writer.member("tokens", sample.tokenIDs.count)
    writer.member("finish_reason", sample.finishReason.rawValue)
    writer.raw("}")
  }
}
