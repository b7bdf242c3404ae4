/// A word of the report and what it means.
struct Term {
  let name: String
  /// Its names in `metrics.jsonl` and `samples.jsonl`.
  let keys: [String]
  let unit: String
  let meaning: String

  init(_ name: String, _ keys: String..., unit: String, _ meaning: String) {
    self.name = name
    self.keys = keys
    self.unit = unit
    self.meaning = meaning
  }
}

/// Each metric with its key, unit and meaning, as a list in HTML, styled by `theme.css`.
package func glossaryHTML() -> String {
  let terms = glossary.map { term in
    let keys = term.keys.isEmpty ? "" : " <code>\(escaped(term.keys.joined(separator: ", ")))</code>"
    return """
      <div><dt>\(escaped(term.name))\(keys)</dt><dd><i>\(escaped(term.unit)).</i> \(escaped(term.meaning))</dd></div>
      """
  }
  return "<dl class=\"terms\">\(terms.joined(separator: "\n"))</dl>"
}

private let glossary = [
  Term(
    "Reward", "reward_mean", "reward_std", "reward_max", "reward", unit: "No unit",
    "What a story earns. For a steered run it is the cosine similarity between the story's sentence embedding and the "
      + "target's, from −1 to 1: its mean, standard deviation and best over the stories of a step."),
  Term(
    "Advantage", "advantage", unit: "No unit",
    "What the update makes of a story's reward, such as its difference from the mean of the others: stories above 0 "
      + "become more probable, those below less."),
  Term(
    "Tied groups", "tied_groups", unit: "Groups",
    "How many prompts' completions all earned the same in a step. They are compared only with each other, so each has the "
      + "advantage 0 and nothing is learned from them. Runs of version 0.1.0 do not tell."),
  Term(
    "Forward KL", "kl_forward", unit: "Nats per generated token",
    "KL(reference ‖ policy): how surprised the trained model would be by what the reference writes next. 0 means no "
      + "difference."),
  Term(
    "Reverse KL", "kl_reverse", unit: "Nats per generated token",
    "KL(policy ‖ reference): how surprised the reference would be by what the trained model writes next. 0 means no "
      + "difference."),
  Term(
    "Log-ratio", "log_probabilities", "reference_log_probabilities", unit: "Nats",
    "log π − log π_ref: how much more (above 0) or less (below 0) probable the trained model finds a token than the "
      + "reference does. Its mean over a story's tokens is what the story adds to the reverse KL."),
  Term(
    "Nat", unit: "Information",
    "The unit with base e: 0.69 nats are one bit. At a forward KL of 0.69 the trained model gives the reference's next "
      + "tokens, on average, half the probability that the reference gives them."),
  Term(
    "Entropy", "entropy", "entropies", unit: "Nats per generated token",
    "How much the model leaves to chance at each token. When it falls toward 0 the stories become alike."),
  Term(
    "Log-probability", "log_probability", unit: "Nats",
    "The logarithm of the probability that the model gave a story, its tokens' added up. Nearer to 0 is more probable."),
  Term(
    "Loss", "loss", unit: "No unit",
    "What the optimizer minimises. Its size says little; reward and KL say how the run goes."),
  Term(
    "Distinct stories", "distinct_stories", unit: "Stories",
    "How many different stories a step told. Few out of many means that the model repeats itself."),
  Term(
    "Gradient norm", "gradient_norm", unit: "No unit",
    "The length of the gradient before clipping. A sudden rise often comes before trouble."),
  Term(
    "Learning rate", "learning_rate", unit: "No unit",
    "The size of the optimizer's step; a schedule may change it from step to step."),
  Term("Tokens", "tokens", unit: "Tokens", "What was generated in a step, over all its stories."),
  Term(
    "Nodes", "nodes", unit: "Positions",
    "What was computed in a step: stories that begin alike share their beginning in one tree, so there are fewer nodes "
      + "than tokens."),
  Term("Mean length", "mean_length", unit: "Tokens per story", "Generated tokens, the prompt not among them."),
  Term(
    "End-of-text rate", "end_of_text_rate", unit: "Share from 0 to 1",
    "How many of the stories the model ended itself; the others were cut at the limit of new tokens."),
  Term(
    "Seconds", "seconds", "seconds_split", unit: "Seconds of wall-clock time",
    "How long a step took, and its parts: telling the stories (rollout), scoring them (reward), the reference model "
      + "(reference), the gradient (backward), the update (optimizer)."),
  Term(
    "Step", "step", unit: "Counted from 1",
    "Stories are told, each earns its reward, and the model is updated once. Step 0 is the model before training."),
]
