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

  /// The same prompts told by the model before and after training.
  func beforeAndAfter(limit: Int = 12) -> String? {
    guard !data.pairs.isEmpty else { return nil }
    let pairs = data.pairs.prefix(limit).map { pair in
      """
      <div class="pair two">
      <div><span class="label">Before</span>\(quotation(pair.prompt, pair.before))\(heat(pair.rewardBefore))</div>
      <div><span class="label">After</span>\(quotation(pair.prompt, pair.after))\(heat(pair.rewardAfter))</div>
      </div>
      """
    }
    let better = data.pairs.filter { $0.rewardAfter > $0.rewardBefore }.count
    let rest = data.pairs.count - pairs.count
    return """
      <h2>Before and after</h2>
      <p class="intro">The same prompts, continued by the model it started from and by the model as it is now: \
      \(better) of \(Numbers.counted(data.pairs.count, "story", "stories")) earn more after.</p>
      <div class="two heads"><span>Before</span><span>After</span></div>
      \(pairs.joined(separator: "\n"))
      \(rest > 0 ? "<p class=\"under\">\(Numbers.grouped(rest)) more in \(RunFolder.followedStories).</p>" : "")
      """
  }

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
    let end = ended ? " <span class=\"end\" title=\"the model ended the story here\">(end)</span>" : ""
    return """
      <blockquote><span class="prompt">\(escaped(prompt))</span>\(escaped(Self.shortened(text)))\(end)</blockquote>
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

  /// Long stories are cut for the page at 1,200 characters; the run folder has them whole.
  private static func shortened(_ text: String) -> String {
    guard text.utf8.count > 1200, text.count > 1200 else { return text }
    return text.prefix(1200) + "…"
  }
}
