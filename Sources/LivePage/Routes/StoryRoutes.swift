import Foundation
import JSON
import Reports
import Runs

extension PageRoutes {
  /// The stories that are told with the same random numbers at several steps.
  func followed(_ request: HTTPRequest) throws -> HTTPAnswer {
    let run = try run(request)
    let stories = try run.followed()
    let labels = run.promptLabels()
    let bytes = jsonObject { writer in
      writer.member("steps", list: stories.steps, first: true) { $1.integer($0) }
      writer.member("problems", strings: stories.file.problems)
      writer.member("stories", list: stories.indices) { index, writer in
        let tellings = stories.entries.map(\.story).filter { $0.index == index }.sorted { $0.step < $1.step }
        writer.raw("{")
        writer.member("index", index, first: true)
        writer.member("prompt", tellings.first?.prompt)
        writer.member("words", tellings.first.flatMap { labels.words(of: $0.prompt) })
        writer.member("tellings", list: tellings) { story, writer in
          writer.raw("{")
          writer.member("step", story.step, first: true)
          writer.member("text", story.text)
          writer.member("reward", story.reward)
          writer.member("finish_reason", story.finishReason.rawValue)
          writer.raw("}")
        }
        writer.raw("}")
      }
    }
    return HTTPAnswer(body: .bytes(bytes))
  }

  /// The heat map of a followed story at a step.
  func followedMap(_ request: HTTPRequest) throws -> HTTPAnswer {
    let run = try run(request)
    guard let index = try request.integer("index"), let step = try request.integer("step") else {
      throw HTTPProblem(400, "index and step are missing: give the story's")
    }
    let stories = try run.followed()
    guard let entry = stories.entry(index: index, step: step),
      let story = try entry.line.read(stories.file.name, at: run.place, { try FollowedStory(&$0) })
    else { throw HTTPProblem(404, "the run has no followed story \(index) of step \(step)") }
    return HTTPAnswer(
      body: .bytes(
        jsonObject {
          $0.member(
            "heat_map", HeatMap(story: story, words: run.promptLabels().words(of: story.prompt)).html, first: true)
        }))
  }

  /// The story tree of a prompt at two steps, or of the original model and a step.
  func tree(_ request: HTTPRequest) throws -> HTTPAnswer {
    let run = try run(request)
    let trees = try run.trees()
    let prompts = trees.prompts
    let number = try request.integer("prompt") ?? 0
    guard prompts.indices.contains(number) else {
      guard prompts.isEmpty, number == 0 else { throw HTTPProblem(404, "the run has no tree of prompt \(number)") }
      return HTTPAnswer(
        body: .bytes(
          jsonObject { writer in
            writer.member("prompts", strings: [], first: true)
            writer.member("steps", strings: [])
            writer.member("problems", strings: trees.file.problems)
            writer.member("html", "")
          }))
    }
    let steps = trees.steps(of: prompts[number])
    let labels = run.promptLabels()
    let (picture, _) = try picture(request, trees, of: run, prompt: prompts[number], steps: steps)
    let bytes = jsonObject { writer in
      writer.member("prompts", strings: prompts.map { labels[$0] }, first: true)
      writer.member("steps", list: steps) { $1.integer($0) }
      writer.member("problems", strings: trees.file.problems)
      writer.member("html", picture.html)
    }
    return HTTPAnswer(body: .bytes(bytes))
  }

  /// The picture that a request asks for with `before` and `after`, and the step of its right side.
  func picture(
    _ request: HTTPRequest, _ trees: TreeIndex, of run: WatchedRun, prompt: String, steps: [Int]
  ) throws -> (picture: StoryTreePicture, after: Int) {
    func tree(_ step: Int) throws -> StoryTree {
      guard let tree = try trees.tree(of: prompt, step: step, at: run.place) else {
        throw HTTPProblem(404, "the run has no tree of step \(step)")
      }
      return tree
    }
    guard let last = try request.integer("after") ?? steps.last else { throw HTTPProblem(404, "the run has no trees") }
    let after = try tree(last)
    let words = run.promptLabels().words(of: prompt)
    let right = StoryTreePicture.Side(label: Self.label(last), tree: after, probability: .policy)
    if let name = request["before"], name != "reference", let step = try request.integer("before") {
      let left = StoryTreePicture.Side(label: Self.label(step), tree: try tree(step), probability: .policy)
      let finding = finding(of: prompt, from: step, to: last, run)
      return (StoryTreePicture(before: left, after: right, words: words, finding: finding), last)
    }
    let left = StoryTreePicture.Side(label: "original model", tree: after, probability: .reference)
    let finding = finding(of: prompt, from: 0, to: last, run)
    return (StoryTreePicture(before: left, after: right, words: words, finding: finding), last)
  }

  /// What moved among a prompt's completions, those that the model wrote after `before` and after `after` updates, or last.
  private func finding(of prompt: String, from before: Int, to after: Int, _ run: WatchedRun) -> String? {
    guard let steps = (try? run.samples.steps(of: prompt)) ?? nil else { return nil }
    func texts(after updates: Int) -> (step: Int, texts: [String])? {
      guard let step = steps.first(where: { $0 > updates }) ?? steps.last,
        let samples = try? run.samples.samples(ofStep: step, limit: Self.comparedSamples)
      else { return nil }
      return (step, samples.filter { $0.prompt == prompt }.map(\.text))
    }
    guard let before = texts(after: before), let after = texts(after: after) else { return nil }
    return wordFinding(before: before, after: after)
  }

  private static func label(_ step: Int) -> String {
    switch step {
    case 0: "before training"
    case 1: "after 1 update"
    default: "after \(step) updates"
    }
  }
}
