package import Runs
import Transformers

/// What training follows beside its recipe: rules that changed with the program's versions, and the numbers of steps that the run was
/// to have before. A run keeps both, so that a step that is done again comes out the same.
package struct TrainingHistory: Sendable, Equatable {
  /// Rules of training that are no setting.
  package enum Rules: Int, Comparable, Sendable {
    /// Those of version 0.1.0: schedules end at the last step, a step without advantages is an update, and a text without a word
    /// earns what its embedding gives.
    case first = 1
    /// Schedules are those of transformers, a step without advantages is no update, and a text without a word earns the least.
    case second = 2

    package static func < (one: Rules, other: Rules) -> Bool { one.rawValue < other.rawValue }
  }

  /// The rules.
  package var rules = Rules.second
  /// See ``RunManifest/earlierPlans``.
  package var earlierPlans: [RunManifest.EarlierPlan] = []

  /// Of a run that begins now.
  package init() {}

  /// Of a run that began before.
  ///
  /// - Throws: `RunError` for rules that are not known.
  init(_ manifest: RunManifest, name: String) throws {
    guard let rules = Rules(rawValue: manifest.trainingRules) else {
      throw RunError.newerRules(
        path: name, version: manifest.trainingRules, supported: RunManifest.currentTrainingRules)
    }
    self.rules = rules
    earlierPlans = manifest.earlierPlans
  }

  /// Whether a step whose advantages are all 0 is an update.
  var updatesWithoutAdvantages: Bool { rules == .first }

  /// What a text without a word earns; nil leaves it to the reward.
  var blankReward: Float? { rules == .first ? nil : AlignmentRun.blankReward }

  /// The learning rate of a step, counted from 1.
  func learningRate(step: Int, of recipe: Recipe) -> Double {
    let steps = earlierPlans.first { step <= $0.afterStep }?.steps ?? recipe.steps
    let schedule = LearningRateSchedule(
      shape: recipe.learningRateSchedule, warmupSteps: recipe.warmupSteps, totalSteps: steps,
      end: rules == .first ? .atLastStep : .afterLastStep)
    return recipe.learningRate * schedule.factor(step: step)
  }
}
