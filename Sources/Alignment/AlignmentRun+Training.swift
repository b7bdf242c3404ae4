import Checkpoints
public import Foundation
import JSON
public import Runs
import Transformers

/// What a run says beside its steps.
public enum RunEvent: Sendable, Equatable {
  /// The folder has all of the first `finished` steps; those after `state` are done once more, to see that they come out the same.
  case resumed(finished: Int, state: Int)
  /// A step came out otherwise than it was recorded: by another program or on another processor. It and what follows is
  /// written again.
  case differs(step: Int)
  /// A step was not applied, since a number of it was not finite.
  case skipped(SkippedStep)
  /// All advantages of a step were 0, so that there was nothing to learn from and the model stays as it is.
  case unmoved(step: Int)
}

extension AlignmentRun {
  /// Trains, writing the run folder as it goes.
  ///
  /// - Parameters:
  ///   - folder: where the run goes; it must not hold anything yet.
  ///   - willStart: called once the folder is there.
  ///   - stateInterval: seconds between the states that a run can be resumed from; what came after the last is done again.
  ///   - notice: called with what there is to say beside the steps.
  ///   - progressInterval: seconds between two calls of `progress`.
  ///   - progress: called at the beginning, and now and then within steps that take long.
  ///   - report: called after each step with its metrics and samples, once all of the step is in the folder.
  ///   - shouldStop: asked between steps.
  /// - Returns: how it ended. Of a run that was asked to stop before its first step was done nothing is left.
  /// - Throws: what made the run fail; the folder then says so, and keeps the last state as a checkpoint.
  public func run(
    in folder: URL, stateInterval: Double = 30, progressInterval: Double = 1, willStart: () -> Void = {},
    notice: (RunEvent) -> Void = { _ in }, progress: @escaping (RunProgress) -> Void = { _ in },
    report: (StepMetrics, [SampleRecord]) -> Void, shouldStop: () -> Bool
  ) throws -> Outcome {
    let writer = try RunWriter(folder: folder, manifest: manifest)
    defer { writer.close() }
    try writer.write(promptLabels)
    try keepPromptStream(writer)
    watch(writer, progressInterval, progress)
    willStart()
    let outcome = try train(writer, from: 0, replaying: nil, stateInterval, notice, report, shouldStop)
    if case .interrupted(afterStep: 0) = outcome { writer.discard() }
    return outcome
  }

  /// Goes on with the run in `folder`, which ``init(resuming:)`` was given, as if it had never stopped.
  ///
  /// - Parameters:
  ///   - stateInterval: seconds between the states that a run can be resumed from.
  ///   - progressInterval: seconds between two calls of `progress`.
  ///   - notice: called with what there is to say about the folder and beside the steps.
  ///   - progress: called at the beginning, and now and then within steps that take long.
  ///   - report: called after each step that was not done before.
  ///   - shouldStop: asked between steps.
  /// - Throws: what made the run fail, as ``run(in:willStart:report:shouldStop:)`` does.
  public func resume(
    in folder: URL, stateInterval: Double = 30, progressInterval: Double = 1, notice: (RunEvent) -> Void = { _ in },
    progress: @escaping (RunProgress) -> Void = { _ in },
    report: (StepMetrics, [SampleRecord]) -> Void, shouldStop: () -> Bool
  ) throws -> Outcome {
    let writer = try RunWriter(
      resuming: folder, samplesPerStep: recipe.samples,
      following: (
        step: { [recipe] in StoryFollower.follows($0) || $0 == recipe.steps }, isWhole: follower.isWhole
      ))
    defer { writer.close() }
    try writer.write(promptLabels)
    if manifest.earlierPlans != writer.manifest.earlierPlans
      || recipe.steps != writer.manifest.recipe["steps"]?.integerValue
    {
      try writer.update {
        $0.recipe = manifest.recipe
        $0.earlierPlans = manifest.earlierPlans
      }
    }
    watch(writer, progressInterval, progress)
    RunFolder.removeUnfinishedFiles(in: folder)
    let file = folder.appending(path: RunFolder.trainingState)
    var state = 0
    // Where the metrics were lost that led to it, a state is of no use.
    if FileManager.default.fileExists(atPath: file.path), try TrainingState.step(of: file) <= writer.finishedSteps {
      state = try trainer.state.read(from: file)
    }
    notice(.resumed(finished: writer.finishedSteps, state: state))
    let recorded = try RecordedSteps(in: folder, afterStep: state)
    return try train(writer, from: state, replaying: recorded, stateInterval, notice, report, shouldStop)
  }

  private var promptLabels: PromptLabels { PromptLabels(trainer.prompts.map { ($0.text, $0.words) }) }

  private func train(
    _ writer: RunWriter, from state: Int, replaying recorded: RecordedSteps?, _ stateInterval: Double,
    _ notice: (RunEvent) -> Void, _ report: (StepMetrics, [SampleRecord]) -> Void, _ shouldStop: () -> Bool
  ) throws -> Outcome {
    var completed = state
    var finished = writer.finishedSteps
    // Where writing about a step failed, the model is a step ahead of what the folder tells.
    var isAhead = false
    var saving = StateSaving(trainer.state, writer, interval: stateInterval)
    var skippedInARow = (0..<state).prefix { writer.skippedSteps.contains(state - $0) }.count
    do {
      if StoryFollower.follows(completed) { try follow(completed, writer) }
      while completed < recipe.steps, !shouldStop() {
        let number = completed + 1
        let done = try step(number)
        if case .applied = done { isAhead = true }
        if number <= finished, try !agrees(done, with: recorded, writer) {
          notice(.differs(step: number))
          try writer.cut(afterStep: completed)
          finished = completed
        }
        if number > finished { try write(done, writer) }
        isAhead = false
        completed = number
        if case .skipped = done { skippedInARow += 1 } else { skippedInARow = 0 }
        if number > finished { try tell(done, skippedInARow, notice) }
        if StoryFollower.follows(completed) { try follow(completed, writer) }
        try saveRegularCheckpoint(completed, writer)
        try saving.save(afterStep: completed)
        if number > finished, case .applied(let metrics, let samples, _) = done { report(metrics, samples) }
      }
      if completed < recipe.steps, completed > state { try saving.save(afterStep: completed, isDue: true) }
      // Where it was stopped before it came to where it had been, there is nothing new to keep.
      if completed > 0, completed >= finished {
        try saveCheckpoint(completed, writer)
        let final = completed == recipe.steps ? try measureModel(afterStep: completed) : nil
        try writer.update { $0.finalModel = final }
        try removeCheckpoints(in: writer.folder, before: completed, final: final)
        if !StoryFollower.follows(completed) { try follow(completed, writer, isLast: true) }
      }
    } catch {
      // A step that failed changed nothing: the state before it is worth keeping, if the disk still takes it.
      if completed > 0, !isAhead {
        try? saveCheckpoint(completed, writer)
        try? saving.save(afterStep: completed, isDue: true)
      }
      try? writer.update(status: .failed, message: "\(error)")
      throw error
    }
    if completed < recipe.steps {
      try writer.update(status: .interrupted)
      return .interrupted(afterStep: max(completed, finished))
    }
    // A run that is made longer goes on from here; without it, it would do all steps once more to get here.
    try? saving.save(afterStep: completed, isDue: true)
    try writer.update(status: .finished)
    return .finished
  }

  /// Steps in a row that may be skipped before the run stops.
  private static let mostSkippedInARow = 5

  /// Says what came of a step where that is not metrics.
  ///
  /// - Throws: ``AlignmentError/diverged(step:reason:)`` where one step after the other is skipped.
  private func tell(_ done: Done, _ skippedInARow: Int, _ notice: (RunEvent) -> Void) throws {
    switch done {
    case .applied(let metrics, _, let isUpdate):
      if !isUpdate { notice(.unmoved(step: metrics.step)) }
    case .skipped(let step):
      notice(.skipped(step))
      guard skippedInARow < min(Self.mostSkippedInARow, recipe.steps) else {
        throw AlignmentError.diverged(
          step: step.step, reason: "\(skippedInARow) steps in a row could not be applied, the last since \(step.reason)"
        )
      }
    }
  }

  /// The numbers of the model as it is: those of the next step's roll-out, without its update. None where they are not finite.
  private func measureModel(afterStep step: Int) throws -> RunManifest.FinalModel? {
    do {
      let metrics = StepMetrics(try trainer.measure(step + 1), number: step, seconds: 0)
      return .init(
        step: step, rewardMean: metrics.rewardMean, klForward: metrics.klForward, klReverse: metrics.klReverse,
        entropy: metrics.entropy)
    } catch AlignmentError.diverged {
      return nil
    }
  }

  /// Lets the trainer tell how far it is within steps that take long, in the folder and to `report`.
  private func watch(_ writer: RunWriter, _ interval: Double, _ report: @escaping (RunProgress) -> Void) {
    let clock = ContinuousClock()
    var last: ContinuousClock.Instant?
    var step: Int?
    trainer.progress = { progress in
      // Steps that take less are told by their metrics; the first one has nothing before it.
      if let known = step, known != progress.step, progress.step > 1 { last = clock.now }
      step = progress.step
      if let last, (clock.now - last) / .seconds(1) < interval { return }
      last = clock.now
      writer.note(progress)
      report(progress)
    }
  }

  /// Saves the checkpoint that the recipe asks for after a step, and removes those that it does not keep.
  private func saveRegularCheckpoint(_ step: Int, _ writer: RunWriter) throws {
    guard let every = recipe.checkpointEvery, step % every == 0, step < recipe.steps else { return }
    if !FileManager.default.fileExists(atPath: writer.checkpointFolder(step: step).path) {
      try saveCheckpoint(step, writer)
    }
    try removeCheckpoints(in: writer.folder, before: step, final: nil)
  }

  /// Removes the checkpoints that the recipe does not keep, of those up to a step.
  ///
  /// - Parameter final: The numbers of the last of them, where it was measured.
  private func removeCheckpoints(in folder: URL, before step: Int, final: RunManifest.FinalModel?) throws {
    guard let keep = recipe.keep else { return }
    let present = RunFolder.checkpointSteps(in: folder).filter { $0 <= step }
    var kept = Set(present.suffix(keep))
    if let limit = recipe.keepBestBelowKL {
      let metrics = try RunReader(folder: folder).metrics()
      // The next step's roll-out is what the checkpoint's model wrote: a step's numbers are those before its update.
      let candidates = present.compactMap { step -> (step: Int, reward: Double, kl: Double)? in
        if let final, final.step == step { return (step, final.rewardMean, final.klForward) }
        return metrics.first { $0.step > step }.map { (step, $0.rewardMean, $0.klForward) }
      }
      if let best = candidates.filter({ $0.kl < limit }).max(by: { $0.reward < $1.reward }) { kept.insert(best.step) }
    }
    for step in present where !kept.contains(step) {
      try removeFolderAtomically(RunFolder.checkpoint(step: step, in: folder))
    }
  }

  private func saveCheckpoint(_ step: Int, _ writer: RunWriter) throws {
    let folder = writer.checkpointFolder(step: step)
    if recipe.loraSaving == .adapter, let adapter = trainer.policy.adapter {
      try model.save(adapter, to: folder)
    } else {
      try model.save(trainer.policy, to: folder)
    }
  }

  /// What came of a step.
  private enum Done {
    case applied(StepMetrics, [SampleRecord], isUpdate: Bool)
    case skipped(SkippedStep)
  }

  /// One update.
  private func step(_ number: Int) throws -> Done {
    let clock = ContinuousClock()
    let start = clock.now
    do {
      let step = try trainer.step(number)
      let records = records(of: step, number, seconds: (clock.now - start) / .seconds(1))
      return .applied(records.metrics, records.samples, isUpdate: step.isUpdate)
    } catch AlignmentError.diverged(_, let reason) where recipe.nonFinite == .skip {
      return .skipped(SkippedStep(step: number, reason: reason))
    }
  }

  /// Whether a step that was done once more came out as it was recorded.
  private func agrees(_ done: Done, with recorded: RecordedSteps?, _ writer: RunWriter) throws -> Bool {
    switch done {
    case .applied(let metrics, let samples, _): try recorded?.agree(samples: samples, metrics: metrics) ?? false
    case .skipped(let step): writer.skippedSteps.contains(step.step)
    }
  }

  private func write(_ done: Done, _ writer: RunWriter) throws {
    switch done {
    case .applied(let metrics, let samples, _):
      try writer.append(samples: samples)
      try writer.append(metrics: metrics)
    case .skipped(let step):
      try writer.append(skipped: step)
    }
  }

  /// A step done once more, with the model as it is.
  func repeated(_ number: Int) throws -> (metrics: StepMetrics, samples: [SampleRecord]) {
    records(of: try trainer.step(number), number, seconds: 0)
  }

  /// What the run folder keeps of a step.
  private func records(
    of step: PolicyTrainer.Step, _ number: Int, seconds: Double
  ) -> (metrics: StepMetrics, samples: [SampleRecord]) {
    let samples = step.stories.indices.map { index in
      SampleRecord(
        step: number, index: index, prompt: step.prompts[index].text, tokenIDs: step.stories[index].tokens,
        text: step.texts[index], reward: step.rewards[index], advantage: step.advantages[index],
        logProbability: Float(step.stories[index].logProbability),
        finishReason: step.stories[index].isFinished ? .stop : .length,
        logProbabilities: step.tokenStatistics[index].logProbabilities,
        referenceLogProbabilities: step.tokenStatistics[index].referenceLogProbabilities,
        entropies: step.tokenStatistics[index].entropies,
        tokenBytes: model.pieces(of: step.stories[index].tokens, after: step.prompts[index]).map(\.utf8.count))
    }
    return (StepMetrics(step, number: number, seconds: seconds), samples)
  }

  /// Keeps what the stories and the trees look like after `step` updates, unless the run had come so far already.
  private func follow(_ step: Int, _ writer: RunWriter, isLast: Bool = false) throws {
    guard !writer.followedSteps.contains(step) else { return }
    trainer.progress?(RunProgress(step: step, phase: .following))
    do {
      try writer.append(followedStories: try follower.stories(step: step, isLast: isLast))
      try writer.append(storyTrees: follower.trees(step: step, isLast: isLast))
    } catch RunError.notFinite where recipe.nonFinite == .skip {
      // A model that has come to this has nothing to show.
    }
  }
}

/// Writes the training state now and then, so that little is lost when the program is ended without a word.
private struct StateSaving {
  private let state: TrainingState
  private let writer: RunWriter
  private let file: URL
  private let clock = ContinuousClock()
  private var last: ContinuousClock.Instant
  /// Seconds that writing took last.
  private var cost = 0.0

  /// Seconds from one writing to the next.
  private let interval: Double
  /// Writing takes no more than this share of the time.
  private static let share = 0.05

  init(_ state: TrainingState, _ writer: RunWriter, interval: Double) {
    self.interval = interval
    self.state = state
    self.writer = writer
    file = writer.folder.appending(path: RunFolder.trainingState)
    last = clock.now
  }

  /// Writes the state after a step, where enough time has passed or `isDue`.
  mutating func save(afterStep step: Int, isDue: Bool = false) throws {
    let passed = (clock.now - last) / .seconds(1)
    guard isDue || interval == 0 || passed >= max(interval, cost / Self.share) else { return }
    let start = clock.now
    // A state is of use only with the lines that led to it.
    try writer.sync()
    try state.write(step: step, to: file)
    last = clock.now
    cost = (last - start) / .seconds(1)
  }
}

extension RunFolder {
  /// Removes what a run that was stopped while it wrote or removed a file or a checkpoint left of it.
  static func removeUnfinishedFiles(in folder: URL) {
    Checkpoints.removeUnfinishedFiles(in: folder)
    Checkpoints.removeUnfinishedFiles(in: checkpoint(step: 0, in: folder).deletingLastPathComponent())
  }
}
