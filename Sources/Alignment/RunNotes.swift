import Foundation
import Rewards
import Transformers

/// What there is to say of a recipe and its models before a run begins.
struct RunNotes {
  /// A line each.
  private(set) var lines: [String] = []

  /// - Parameters:
  ///   - given: The recipe as it was given.
  ///   - recipe: The recipe with the settings that were fitted to the model.
  init(given: Recipe, recipe: Recipe, trainer: PolicyTrainer, embedder: SentenceEmbedder) {
    if recipe.learningRate != given.learningRate {
      lines.append(
        "Learning rate \(Self.significant(recipe.learningRate)): the preset's \(Self.significant(given.learningRate)) is for the "
          + "model in this program, and larger models take smaller updates. --learning-rate sets another.")
    }
    if trainer.leftOutPrompts > 0 {
      let all = trainer.leftOutPrompts + trainer.prompts.count
      lines.append("\(trainer.leftOutPrompts) of \(all) prompts are left out as too long.")
    }
    if embedder.isTruncated(recipe.toward) {
      lines.append("Of the text to steer toward, only the first \(embedder.tokenLimit - 2) word pieces are read.")
    }
    // A token is about a word piece.
    let limit = embedder.tokenLimit - 2
    let long = trainer.prompts.count { prompt in
      prompt.lead.utf8.count + 8 * recipe.maxNewTokens > limit
        && embedder.pieceCount(of: prompt.lead) + recipe.maxNewTokens > limit
    }
    if long > 0 {
      let which = trainer.prompts.count == 1 ? "The prompt" : "\(long) of \(trainer.prompts.count) prompts"
      lines.append(
        "\(which) with \(recipe.maxNewTokens) new tokens may be longer than the \(limit) word pieces that the reward model reads: "
          + "what is beyond is not rewarded. The completions concerned are counted as truncated_texts.")
    }
  }

  /// A number with three significant digits at most.
  private static func significant(_ value: Double) -> String { String(format: "%.3g", value) }
}

extension Recipe {
  /// The number of parameters of the model in this program, which the presets' learning rates are for.
  private static let presetParameterCount = 2_269_056

  /// The recipe with a learning rate that fits a model of `count` trained parameters, where nobody has chosen one.
  ///
  /// An update of AdamW moves each parameter by about the learning rate, whatever the gradient's size, so that one update does the
  /// more the more parameters there are. The exponent is measured: with it, the first update of SmolLM2-135M moves that model about
  /// as far as the preset's moves the model in this program, KL 0.08 (at the preset's rate 1.34, at an eighth of it 0.38); the
  /// published rate for TinyStories-33M stands in about the same relation to the one of recipe tinycatstories.
  func fitted(toParameters count: Int) -> Recipe {
    guard isLearningRateDefault, count > Self.presetParameterCount else { return self }
    let rate = learningRate * pow(Double(Self.presetParameterCount) / Double(count), 0.75)
    var recipe = self
    // Two digits, as a person would write it.
    recipe.learningRate = Double(String(format: "%.1e", rate)) ?? rate
    return recipe
  }
}
