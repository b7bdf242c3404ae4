import Alignment
import Kernels
import PolicyGradients
import Transformers

/// A step's loss and gradient as the formula has them: story by story, each a sequence of its own.
struct NaiveGradient {
  var gradient: [Float]
  var loss = 0.0
  var klForward = 0.0
  var klReverse = 0.0
  var entropy = 0.0

  init(
    _ policy: any LanguageModel, reference: any LanguageModel, prompt: [Int], stories: [[Int]], advantages: [Float],
    lengthNormalizer: Float, klWeight: Float, direction: KLDirection
  ) {
    self.init(
      policy, reference: reference, prompts: stories.map { _ in prompt }, stories: stories, advantages: advantages,
      lengthNormalizer: lengthNormalizer, klWeight: klWeight, direction: direction)
  }

  /// Each story has a prompt of its own.
  init(
    _ policy: any LanguageModel, reference: any LanguageModel, prompts: [[Int]], stories: [[Int]], advantages: [Float],
    lengthNormalizer: Float, klWeight: Float, direction: KLDirection
  ) {
    let gradients = FloatBuffer(count: policy.parameterCount)
    let scale = 1 / (Float(stories.count) * lengthNormalizer)
    for (index, (story, advantage)) in zip(stories, advantages).enumerated() {
      let prompt = prompts[index]
      var tree = TokenTree()
      tree.appendChain(prompt + story.dropLast())
      let activations = policy.makeActivations(capacity: tree.count, keepsForBackward: true)
      policy.forward(tree, activations: activations)
      let frozen = reference.makeActivations(capacity: tree.count, keepsForBackward: false)
      reference.forward(tree, activations: frozen)
      // The prompt's tokens but the last are rows without targets or weights.
      let lead = [Float](repeating: 0, count: prompt.count - 1)
      let divergences = lead + [Float](repeating: klWeight * scale, count: story.count)
      var loss = HeadLoss(
        targetStarts: lead.map { _ in 0 } + Array(0...story.count), targetTokens: story.map(Int32.init),
        targetWeights: [Float](repeating: advantage * scale, count: story.count),
        forwardKLWeights: direction == .forward ? divergences : nil,
        reverseKLWeights: direction == .reverse ? divergences : nil)
      let hiddenGradient = FloatBuffer(count: tree.count * policy.hiddenSize)
      policy.head.evaluate(
        &loss, hidden: activations.hidden.pointer,
        reference: ReferenceLogits(hidden: frozen.hidden.pointer, head: reference.head),
        gradients: HeadGradients(hidden: hiddenGradient.pointer, weight: gradients.pointer + policy.headOffset))
      policy.backward(tree, activations: activations, hiddenGradient: hiddenGradient, gradients: gradients)
      self.loss += loss.value
      klForward += loss.forwardKLs.dropFirst(lead.count).reduce(0) { $0 + Double($1) }
      klReverse += loss.reverseKLs.dropFirst(lead.count).reduce(0) { $0 + Double($1) }
      entropy += loss.entropies.dropFirst(lead.count).reduce(0) { $0 + Double($1) }
    }
    let tokens = Double(stories.reduce(0) { $0 + $1.count })
    klForward /= tokens
    klReverse /= tokens
    entropy /= tokens
    gradient = gradients.array
  }
}
