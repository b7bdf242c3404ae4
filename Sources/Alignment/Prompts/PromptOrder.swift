import Kernels

/// Which prompts each step takes: all of them in random order, then all in another, and so on.
///
/// What a step takes depends on the seed and the step's number alone; no prompt is taken twice before all were taken once.
package struct PromptOrder {
  private let promptCount: Int
  private let perStep: Int
  private let random: KeyedRandom
  /// The order of the pass that was last asked for.
  private var cached: (pass: Int, order: [Int])?

  /// The order of `promptCount` prompts, `perStep` of them a step.
  package init(promptCount: Int, perStep: Int, seed: UInt64) {
    precondition(promptCount > 0 && perStep > 0, "\(perStep) of \(promptCount) prompts a step")
    self.promptCount = promptCount
    self.perStep = perStep
    // Steps key the same seed's numbers from 1 on.
    random = KeyedRandom(seed: seed).keyed(-1)
  }

  /// The prompts of a step, by their places; steps count from 1.
  package mutating func prompts(ofStep step: Int) -> [Int] {
    precondition(step >= 1, "steps count from 1")
    let start = (step - 1) * perStep
    return (start..<start + perStep).map { order(ofPass: $0 / promptCount)[$0 % promptCount] }
  }

  private mutating func order(ofPass pass: Int) -> [Int] {
    if let cached, cached.pass == pass { return cached.order }
    var order = Array(0..<promptCount)
    var stream = RandomStream(random.keyed(pass))
    order.shuffle(using: &stream)
    cached = (pass, order)
    return order
  }
}
