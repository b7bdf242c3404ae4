public import Foundation

/// The names in a run folder.
public enum RunFolder {
  /// `run.json`: ``RunManifest``.
  public static let manifest = "run.json"
  /// `metrics.jsonl`: a ``StepMetrics`` a line.
  public static let metrics = "metrics.jsonl"
  /// `samples.jsonl`: a ``SampleRecord`` a line.
  public static let samples = "samples.jsonl"
  /// `followed_stories.jsonl`: a ``FollowedStory`` a line.
  public static let followedStories = "followed_stories.jsonl"
  /// `story_trees.jsonl`: a ``StoryTree`` a line.
  public static let storyTrees = "story_trees.jsonl"
  /// `prompts.jsonl`: ``PromptLabels``; there is none where no chat template wrote a prompt.
  public static let prompts = "prompts.jsonl"
  /// `before_after.jsonl`: a ``StoryPair`` a line, in runs before ``followedStories`` was written.
  static let storyPairs = "before_after.jsonl"
  /// `skipped_steps.jsonl`: a ``SkippedStep`` a line; there is none where no step was skipped.
  public static let skippedSteps = "skipped_steps.jsonl"
  /// `prompt_data.jsonl`, `.json`, `.csv` or `.txt`: the bytes of the prompts, where they came from a pipe.
  public static let promptData = "prompt_data"
  /// `progress.json`: how far a run is within a step, while it trains.
  public static let progress = "progress.json"
  /// `training_state.safetensors`: what a run that is not finished needs to go on exactly where it was.
  public static let trainingState = "training_state.safetensors"
  /// `training_metrics.svg`: the curves.
  public static let figure = "training_metrics.svg"
  /// `figures/`: the report's pictures, a file each.
  public static let figures = "figures"
  /// `report.html`: the report.
  public static let report = "report.html"

  /// `checkpoints/step-NNNNNN` of the run in `folder`; nothing is created.
  public static func checkpoint(step: Int, in folder: URL) -> URL {
    let digits = String(step)
    let padded = String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    return folder.appending(path: "checkpoints").appending(path: "step-\(padded)", directoryHint: .isDirectory)
  }

  /// The steps that have a checkpoint folder in `folder`, ascending; those still being written (`.tmp`) do not count.
  public static func checkpointSteps(in folder: URL) -> [Int] {
    let names = try? FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "checkpoints").path)
    return (names ?? []).compactMap { name in
      name.hasPrefix("step-") ? Int(name.dropFirst(5)) : nil
    }.sorted()
  }
}
