import Runs

/// What a report tells of a run, read once.
struct ReportData {
  /// One text and how often it was told in a step.
  struct Story {
    let sample: SampleRecord
    var count: Int
  }

  /// The stories of one step.
  struct Step {
    let step: Int
    /// All stories of the step.
    let total: Int
    /// Distinct stories, best first.
    let stories: [Story]

    /// The story told most often.
    var mostTold: Story? { stories.max { $0.count < $1.count } }
  }

  let manifest: RunManifest
  /// Whether a process writes the run; nil where that cannot be told.
  let isBeingWritten: Bool?
  let metrics: [StepMetrics]
  let skipped: [SkippedStep]
  let pairs: [StoryPair]
  /// The followed stories, those of step 0 first.
  let followed: [FollowedStory]
  /// The newest story tree of each prompt that has one, in order of appearance.
  let trees: [StoryTree]
  /// What moved among the completions of each of their prompts, in a sentence.
  let findings: [String: String]
  /// What prompts are called that a chat template wrote.
  let labels: PromptLabels
  let steps: [Step]
  /// The rewards of each prompt; nil where the recipe has but one.
  let rewards: PromptRewards?

  /// Reads the run; of its samples, those of five steps at most.
  init(_ run: RunReader) throws {
    manifest = run.manifest
    isBeingWritten = RunFolder.isBeingWritten(run.folder)
    metrics = try run.metrics()
    skipped = try run.skippedSteps()
    pairs = try run.storyPairs()
    rewards = try run.promptRewards()
    followed = try run.followedStories().stories
    labels = try run.promptLabels()
    var newest: [String: StoryTree] = [:]
    var order: [String] = []
    for tree in try run.storyTrees().trees where !tree.nodes.isEmpty {
      if newest[tree.prompt] == nil { order.append(tree.prompt) }
      newest[tree.prompt] = tree
    }
    trees = order.prefix(Self.mostTrees).compactMap { newest[$0] }
    let chosen = Self.spread(metrics.map(\.step), count: 5)
    let (steps, prompts) = (metrics, rewards)
    let ends = Dictionary(uniqueKeysWithValues: trees.map { ($0.prompt, Self.ends(of: $0.prompt, steps, prompts)) })
    var words: [String: [Int: WordCount]] = [:]
    var distinct: [Int: [String: Story]] = [:]
    try run.forEachSample(of: Set(chosen + ends.values.flatMap(\.self))) { sample in
      if ends[sample.prompt]?.contains(sample.step) == true {
        words[sample.prompt, default: [:]][sample.step, default: WordCount()].add(sample.text)
      }
      guard chosen.contains(sample.step) else { return }
      // The zero byte keeps a prompt and its continuation from running into one another.
      let key = sample.prompt + "\0" + sample.text
      if distinct[sample.step]?[key] != nil {
        distinct[sample.step]?[key]?.count += 1
      } else {
        distinct[sample.step, default: [:]][key] = Story(sample: sample, count: 1)
      }
    }
    findings = words.compactMapValues { counts in
      guard let first = counts.min(by: { $0.key < $1.key }), let last = counts.max(by: { $0.key < $1.key }) else {
        return nil
      }
      return WordCount.finding(before: (first.key, first.value), after: (last.key, last.value))
    }
    self.steps = chosen.compactMap { step in
      guard let stories = distinct[step], !stories.isEmpty else { return nil }
      return Step(
        step: step, total: stories.values.reduce(0) { $0 + $1.count },
        stories: stories.values.sorted {
          ($1.sample.reward, $0.sample.index) < ($0.sample.reward, $1.sample.index)
        })
    }
  }

  /// Trees that are shown at most.
  private static let mostTrees = 64

  /// The first and the last step that has a prompt.
  private static func ends(of prompt: String, _ metrics: [StepMetrics], _ rewards: PromptRewards?) -> [Int] {
    guard let rewards else { return [metrics.first?.step, metrics.last?.step].compactMap(\.self) }
    let steps = rewards.steps(of: prompt)
    return [steps.first, steps.last].compactMap(\.self)
  }

  /// The tellings of a followed story, by step; the last line about a step counts.
  func tellings(of index: Int) -> [FollowedStory] {
    var latest: [Int: FollowedStory] = [:]
    for story in followed where story.index == index { latest[story.step] = story }
    return latest.values.sorted { $0.step < $1.step }
  }

  /// The prompts of the stories that were read, in order of appearance.
  var prompts: [String] {
    var seen: Set<String> = []
    let all = (steps.last?.stories ?? []).sorted { $0.sample.index < $1.sample.index }.map(\.sample.prompt)
    return (all + pairs.map(\.prompt)).filter { seen.insert($0).inserted }
  }

  /// The stories of one step, as far as the metrics tell.
  static func stories(_ metrics: StepMetrics) -> Int {
    guard metrics.meanLength.isFinite, metrics.meanLength > 0 else { return metrics.distinctStories }
    let count = (Double(metrics.tokens) / metrics.meanLength).rounded()
    return count < 1e15 ? max(Int(count), metrics.distinctStories) : metrics.distinctStories
  }

  /// At most `count` of `values`, evenly spread, first and last among them.
  static func spread(_ values: [Int], count: Int) -> [Int] {
    guard values.count > count, count > 1 else { return values }
    return (0..<count).map { values[$0 * (values.count - 1) / (count - 1)] }
  }
}
