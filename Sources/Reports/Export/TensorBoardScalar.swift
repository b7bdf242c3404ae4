import Runs

/// A metric as TensorBoard shows it.
struct TensorBoardScalar: Sendable {
  /// Its name in TensorBoard; metrics with the same beginning stand together.
  let tag: String
  /// What it is, with its unit and its name in `metrics.jsonl`.
  let description: String
  /// Its number in a step; nil where the run does not tell.
  let value: @Sendable (StepMetrics) -> Double?

  private init(_ tag: String, _ description: String, _ value: @escaping @Sendable (StepMetrics) -> Double?) {
    self.tag = tag
    self.description = description
    self.value = value
  }

  /// All metrics of a step.
  static let all = [
    TensorBoardScalar("reward/mean", "Mean reward of the step's stories (reward_mean).") { $0.rewardMean },
    TensorBoardScalar("reward/std", "Standard deviation of the rewards (reward_std).") { $0.rewardStd },
    TensorBoardScalar("reward/tied_groups", "Prompts whose completions all earned the same (tied_groups).") {
      $0.tiedGroups.map(Double.init)
    },
    TensorBoardScalar("reward/max", "Highest reward (reward_max).") { $0.rewardMax },
    TensorBoardScalar("kl/forward", "KL(reference || policy) in nats per token (kl_forward).") { $0.klForward },
    TensorBoardScalar("kl/reverse", "KL(policy || reference) in nats per token (kl_reverse).") { $0.klReverse },
    TensorBoardScalar("policy/loss", "The loss that was minimised (loss).") { $0.loss },
    TensorBoardScalar("policy/entropy", "Entropy of the next token in nats per token (entropy).") { $0.entropy },
    TensorBoardScalar("policy/gradient_norm", "Norm of the gradient before clipping (gradient_norm).") {
      $0.gradientNorm
    },
    TensorBoardScalar("policy/learning_rate", "Learning rate of the update (learning_rate).") { $0.learningRate },
    TensorBoardScalar("stories/tokens", "Tokens generated (tokens).") { Double($0.tokens) },
    TensorBoardScalar("stories/nodes", "Nodes of the token tree: positions computed (nodes).") { Double($0.nodes) },
    TensorBoardScalar("stories/distinct", "How many different stories there were (distinct_stories).") {
      Double($0.distinctStories)
    },
    TensorBoardScalar("stories/mean_length", "Mean tokens a story (mean_length).") { $0.meanLength },
    TensorBoardScalar("stories/end_of_text_rate", "Share of stories that ended by themselves (end_of_text_rate).") {
      $0.endOfTextRate
    },
    TensorBoardScalar("seconds/step", "Seconds of the step (seconds).") { $0.seconds },
    TensorBoardScalar("seconds/rollout", "Seconds sampling the stories (seconds_split.rollout).") {
      $0.secondsSplit.rollout
    },
    TensorBoardScalar("seconds/reward", "Seconds scoring them (seconds_split.reward).") { $0.secondsSplit.reward },
    TensorBoardScalar("seconds/reference", "Seconds of the reference model (seconds_split.reference).") {
      $0.secondsSplit.reference
    },
    TensorBoardScalar("seconds/backward", "Seconds computing the gradient (seconds_split.backward).") {
      $0.secondsSplit.backward
    },
    TensorBoardScalar("seconds/optimizer", "Seconds updating the parameters (seconds_split.optimizer).") {
      $0.secondsSplit.optimizer
    },
  ]
}
