import Runs

/// The stories of a report: quotations with the prompt dimmed, and a bar for what each earned.
struct ReportStories {
  let data: ReportData
  private let lowest: Double
  private let highest: Double

  init(_ data: ReportData) {
    self.data = data
    let rewards =
      data.pairs.flatMap { [Double($0.rewardBefore), Double($0.rewardAfter)] }
      + data.steps.flatMap { $0.stories.map { Double($0.sample.reward) } }
    let finite = rewards.filter(\.isFinite)
    let least = finite.min() ?? 0
    let most = finite.max() ?? 1
    // Cosines have one scale in every report; other rewards fill the bar.
    let isCosine = least >= -1.001 && most <= 1.001
    lowest = isCosine ? 0 : least
    highest = isCosine ? 1 : max(most, least + 1e-9)
  }

  /// The same prompts told by the model before and after training, the first ones with their tokens coloured.
  func beforeAndAfter(shown: Int = 8, coloured: Int = 4) -> String? {
    guard !data.pairs.isEmpty else { return nil }
    let shared = Set(data.pairs.map(\.prompt)).count == 1 ? data.pairs.first?.prompt : nil
    let pairs = data.pairs.prefix(Self.most).enumerated().map { position, pair in
      let tellings = position < coloured ? data.tellings(of: pair.index) : []
      func side(_ name: String, _ text: String, _ reward: Float, _ story: FollowedStory?) -> String {
        let told = story.map { HeatMap(story: $0).html(showsPrompt: false) } ?? quotation(text)
        return "<div class=\"side\"><span class=\"label\">\(name)</span>\(told)\(heat(reward))</div>"
      }
      func map(_ story: FollowedStory?) -> FollowedStory? { story?.tokens.isEmpty == false ? story : nil }
      return """
        <div class="pair">\(shared == nil ? lead(pair.prompt) : "")
        <div class="two">
        \(side("Before", pair.before, pair.rewardBefore, map(tellings.first)))
        \(side("After", pair.after, pair.rewardAfter, map(tellings.last)))
        </div>
        </div>
        """
    }
    let better = data.pairs.filter { $0.rewardAfter > $0.rewardBefore }.count
    let more = pairs.dropFirst(shown)
    let rest = data.pairs.count - pairs.count
    return """
      <h2>Before and after</h2>
      <p class="intro">The same prompts, continued by the model it started from and by the model as it is now: \
      \(better) of \(Numbers.counted(data.pairs.count, "completion", "completions")) earn more after. Where tokens are \
      coloured, orange ones have become more probable than they were originally, blue ones less.</p>
      \(shared.map(lead) ?? "")
      <div class="two heads"><span>Before</span><span>After</span></div>
      \(pairs.prefix(shown).joined(separator: "\n"))
      \(more.isEmpty ? "" : Self.folded("\(Numbers.grouped(more.count)) more", more.joined(separator: "\n")))
      \(rest > 0 ? "<p class=\"under\">\(Numbers.grouped(rest)) more in \(RunFolder.followedStories).</p>" : "")
      """
  }

  /// Completions and prompts that are in a report at most.
  private static let most = 64

  /// Something that is unfolded by a click.
  private static func folded(_ title: String, _ content: String) -> String {
    "<details class=\"more\"><summary>\(title)</summary>\n\(content)\n</details>"
  }

  /// A prompt by itself; a long one, and one that a template wrote, can be unfolded.
  private func lead(_ prompt: String) -> String {
    let words = data.labels.words(of: prompt)
    if words != nil || prompt.utf8.count > PictureText.longPrompt { return PictureText.folded(prompt, words: words) }
    return "<p class=\"from\">Prompt: <bdi class=\"prompt\">\(escaped(prompt))</bdi></p>"
  }

  /// Some of the followed stories at every step that they were told at.
  func stepByStep(shown: Int = 3) -> String? {
    var seen: Set<Int> = []
    let indices = data.followed.map(\.index).filter { seen.insert($0).inserted }
    let stories = indices.map(data.tellings).filter { $0.count > 2 }.prefix(Self.most)
    guard !stories.isEmpty else { return nil }
    let shared = Set(stories.map { $0[0].prompt }).count == 1 ? stories[0][0].prompt : nil
    let tables = stories.map { tellings in
      """
      <div class="telling">\(shared == nil ? lead(tellings[0].prompt) : "")
      <ol>\(list(Self.joined(tellings)).joined(separator: "\n"))</ol>
      </div>
      """
    }
    let more = tables.dropFirst(shown)
    return """
      <h2>The same completion, step by step</h2>
      <p class="intro">Sampled with the same random numbers at several steps, so that what differs is what the model has \
      learned; pale words are those of the step before.</p>
      \(shared.map(lead) ?? "")
      \(tables.prefix(shown).joined(separator: "\n"))
      \(more.isEmpty ? "" : Self.folded("\(Numbers.grouped(more.count)) more", more.joined(separator: "\n")))
      """
  }

  /// Neighbouring steps that told the same, as one.
  private static func joined(_ tellings: [FollowedStory]) -> [(steps: ClosedRange<Int>, story: FollowedStory)] {
    var rows: [(steps: ClosedRange<Int>, story: FollowedStory)] = []
    for story in tellings {
      if let last = rows.last, last.story.text == story.text, last.steps.lowerBound <= story.step {
        rows[rows.count - 1] = (last.steps.lowerBound...story.step, story)
      } else {
        rows.append((story.step...story.step, story))
      }
    }
    return rows
  }

  private func list(_ rows: [(steps: ClosedRange<Int>, story: FollowedStory)]) -> [String] {
    var before = ""
    return rows.map { row in
      let text = shortened(row.story.text, to: 320)
      defer { before = text }
      let (from, to) = (row.steps.lowerBound, row.steps.upperBound)
      let name = from == to ? "step \(Numbers.grouped(from))" : "steps \(Numbers.grouped(from))–\(Numbers.grouped(to))"
      let told = Self.split(text, after: before)
      let end = row.story.finishReason == .stop ? Self.endMark : ""
      return """
        <li><span class="when">\(name)</span>\
        <blockquote><bdi><span class="prompt">\(escaped(told.old))</span>\(escaped(told.new))</bdi>\(end)</blockquote>\
        \(heat(row.story.reward))</li>
        """
    }
  }

  /// A text in two: the words at its start that `before` starts with, too, and the rest; without the space before all.
  private static func split(_ text: String, after before: String) -> (old: String, new: String) {
    let start = text.firstIndex { $0 != " " } ?? text.endIndex
    var place = text.startIndex
    var wordEnd = start
    for (own, other) in zip(text, before) {
      if own != other { break }
      if own == " ", place > start { wordEnd = place }
      place = text.index(after: place)
    }
    if place == text.endIndex { wordEnd = max(start, place) }
    return (String(text[start..<wordEnd]), String(text[wordEnd...]))
  }

  private static let endMark = " <span class=\"end\" title=\"the model ended its text here\">(end)</span>"

  /// The best and the worst stories of some steps.
  func bestAndWorst(limit: Int = 3) -> String? {
    guard !data.steps.isEmpty else { return nil }
    let prompts = Set(data.steps.flatMap { $0.stories.map(\.sample.prompt) })
    let shared = prompts.count == 1 ? prompts.first : nil
    func story(_ story: ReportData.Story) -> String { self.story(story, showsPrompt: shared == nil) }
    let sections = data.steps.map { step in
      let best = step.stories.prefix(limit)
      let worst = step.stories.dropFirst(best.count).suffix(limit).reversed()
      let distinct = Numbers.counted(step.stories.count, "distinct story", "distinct stories")
      return """
        <section>
        <h3>Step \(Numbers.grouped(step.step)) <span class="arrow">· \(distinct) of \(Numbers.grouped(step.total))</span></h3>
        <div class="two">
        <div><p class="heads" style="display:block">Best</p>\(best.map(story).joined())</div>
        <div><p class="heads" style="display:block">Worst</p>\(worst.map(story).joined())</div>
        </div>
        </section>
        """
    }
    return """
      <h2>Best and worst completions</h2>
      <p class="intro">What earned most and least at some of the steps, from the first to the last. All completions are \
      in <code>\(RunFolder.samples)</code>.</p>
      \(shared.map(lead) ?? "")
      \(sections.joined(separator: "\n"))
      """
  }

  private func story(_ story: ReportData.Story, showsPrompt: Bool) -> String {
    let times = story.count > 1 ? " · sampled \(Numbers.grouped(story.count)) times" : ""
    let ended = story.sample.finishReason == .stop
    let name = PictureText.name(story.sample.prompt, words: data.labels.words(of: story.sample.prompt), 90)
    let after = showsPrompt ? "<p class=\"after\">after <bdi>\(escaped(name))</bdi></p>" : ""
    return """
      <div class="story">\(quotation(story.sample.text, ended: ended))\(after)\
      \(heat(story.sample.reward, note: times))</div>
      """
  }

  /// A completion, whole unless it is very long.
  private func quotation(_ text: String, ended: Bool = false) -> String {
    let end = ended ? Self.endMark : ""
    guard text.contains(where: { !$0.isWhitespace }) else {
      return "<blockquote><span class=\"end\">nothing</span>\(end)</blockquote>"
    }
    let told = shortened(String(text.drop { $0 == " " || $0 == "\n" }), to: 4000)
    return "<blockquote><bdi>\(escaped(told))</bdi>\(end)</blockquote>"
  }

  private func heat(_ reward: Float, note: String = "") -> String {
    let value = Double(reward)
    let share = min(max((value - lowest) / (highest - lowest), 0), 1)
    return """
      <div class="heat"><i style="--h:\(coordinate(share.isFinite ? share : 0))"></i>\
      <span>reward <b>\(Numbers.fixed(value, 3))</b>\(escaped(note))</span></div>
      """
  }
}
