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
  func beforeAndAfter(limit: Int = 8, coloured: Int = 4) -> String? {
    guard !data.pairs.isEmpty else { return nil }
    let pairs = data.pairs.prefix(limit).enumerated().map { position, pair in
      let tellings = position < coloured ? data.tellings(of: pair.index) : []
      func side(_ name: String, _ text: String, _ reward: Float, _ story: FollowedStory?) -> String {
        let told = story.map { HeatMap(story: $0).html } ?? quotation(pair.prompt, text)
        return "<div class=\"side\"><span class=\"label\">\(name)</span>\(told)\(heat(reward))</div>"
      }
      func map(_ story: FollowedStory?) -> FollowedStory? { story?.tokens.isEmpty == false ? story : nil }
      return """
        <div class="pair two">
        \(side("Before", pair.before, pair.rewardBefore, map(tellings.first)))
        \(side("After", pair.after, pair.rewardAfter, map(tellings.last)))
        </div>
        """
    }
    let better = data.pairs.filter { $0.rewardAfter > $0.rewardBefore }.count
    let rest = data.pairs.count - pairs.count
    return """
      <h2>Before and after</h2>
      <p class="intro">The same prompts, continued by the model it started from and by the model as it is now: \
      \(better) of \(Numbers.counted(data.pairs.count, "story", "stories")) earn more after. Where tokens are coloured, \
      orange ones have become more probable than they were originally, blue ones less.</p>
      <div class="two heads"><span>Before</span><span>After</span></div>
      \(pairs.joined(separator: "\n"))
      \(rest > 0 ? "<p class=\"under\">\(Numbers.grouped(rest)) more in \(RunFolder.followedStories).</p>" : "")
      """
  }

  /// Some of the followed stories at every step that they were told at.
  func stepByStep(limit: Int = 3) -> String? {
    var seen: Set<Int> = []
    let indices = data.followed.map(\.index).filter { seen.insert($0).inserted }
    let stories = indices.map(data.tellings).filter { $0.count > 2 }.prefix(limit)
    guard !stories.isEmpty else { return nil }
    let tables = stories.map { tellings in
      """
      <div class="telling">
      <p class="from"><span class="prompt">\(escaped(shortened(tellings[0].prompt, to: 400, keepsEnd: true)))</span> …</p>
      <ol>\(list(Self.joined(tellings)).joined(separator: "\n"))</ol>
      </div>
      """
    }
    return """
      <h2>The same story, step by step</h2>
      <p class="intro">Told with the same random numbers at several steps, so that what differs is what the model has \
      learned; pale words are those of the telling before.</p>
      \(tables.joined(separator: "\n"))
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
        <blockquote><span class="prompt">\(escaped(told.old))</span>\(escaped(told.new))\(end)</blockquote>\
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

  private static let endMark = " <span class=\"end\" title=\"the model ended the story here\">(end)</span>"

  /// The best and the worst stories of some steps.
  func bestAndWorst(limit: Int = 3) -> String? {
    guard !data.steps.isEmpty else { return nil }
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
      <h2>Best and worst stories</h2>
      <p class="intro">What earned most and least at some of the steps, from the first to the last. All stories are in \
      <code>\(RunFolder.samples)</code>.</p>
      \(sections.joined(separator: "\n"))
      """
  }

  private func story(_ story: ReportData.Story) -> String {
    let times = story.count > 1 ? " · told \(Numbers.grouped(story.count)) times" : ""
    let ended = story.sample.finishReason == .stop
    return """
      <div class="story">\(quotation(story.sample.prompt, story.sample.text, ended: ended))\
      \(heat(story.sample.reward, note: times))</div>
      """
  }

  private func quotation(_ prompt: String, _ text: String, ended: Bool = false) -> String {
    let end = ended ? Self.endMark : ""
    return """
      <blockquote><span class="prompt">\(escaped(shortened(prompt, to: 800, keepsEnd: true)))</span>\(escaped(shortened(text, to: 1200)))\(end)</blockquote>
      """
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
