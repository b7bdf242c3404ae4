import Foundation
import Kernels
import PolicyGradients

/// A policy over stories of two tokens out of three, simple enough to write down: the logits of four prefixes.
///
/// Prefix 0 is the empty one, prefix 1 + a follows token a.
struct TablePolicy {
  static let tokens = 3
  static let prefixes = 4
  /// [prefixes][tokens].
  var logits: [[Double]]

  static let policy = TablePolicy(
    logits: [[0.5, -0.25, 0.125], [1, 0, -0.5], [-0.75, 0.25, 0.5], [0, 0.375, -1.25]])
  static let reference = TablePolicy(
    logits: [[0.25, 0.5, -0.5], [0.125, 0.75, 0], [0.5, -0.125, -0.25], [-1, 0.25, 0.625]])

  /// All nine stories.
  static let stories = (0..<tokens).flatMap { first in (0..<tokens).map { [first, $0] } }

  /// What each story is worth; nothing about it is regular.
  static func reward(_ story: [Int]) -> Double { rewards[story[0]][story[1]] }

  private static let rewards = [[0.9, -0.3, 0.1], [0.4, 0.45, -0.8], [-0.2, 0.7, 0.05]]

  func logProbabilities(_ prefix: Int) -> [Double] {
    let normalizer = log(logits[prefix].reduce(0) { $0 + exp($1) })
    return logits[prefix].map { $0 - normalizer }
  }

  func probabilities(_ prefix: Int) -> [Double] { logProbabilities(prefix).map(exp) }

  func probability(_ story: [Int]) -> Double { probabilities(0)[story[0]] * probabilities(1 + story[0])[story[1]] }

  /// How likely a story is to come by a prefix.
  func visits(_ prefix: Int) -> Double { prefix == 0 ? 1 : probabilities(0)[prefix - 1] }

  static func path(_ story: [Int]) -> SampledPath { SampledPath(tokens: story, nodes: [0, 1 + story[0]]) }

  /// KL(first || second) at a prefix, in nats.
  static func divergence(_ first: TablePolicy, _ second: TablePolicy, _ prefix: Int) -> Double {
    let (p, q) = (first.logProbabilities(prefix), second.logProbabilities(prefix))
    return zip(p, q).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
  }

  /// The gradient of a function of the logits, by central differences.
  func gradient(of value: (TablePolicy) -> Double) -> [Double] {
    let step = 1e-5
    return (0..<Self.prefixes * Self.tokens).map { index in
      var (up, down) = (self, self)
      up.logits[index / Self.tokens][index % Self.tokens] += step
      down.logits[index / Self.tokens][index % Self.tokens] -= step
      return (value(up) - value(down)) / (2 * step)
    }
  }

  /// What the kernels make of the rows: the gradient of the loss with respect to all logits.
  ///
  /// The head's weight is the identity, so that hidden states are logits.
  func gradient(of rows: PolicyLossRows, direction: KLDirection = .forward) -> [Double] {
    let size = Self.tokens
    let identity = FloatBuffer([1, 0, 0, 0, 1, 0, 0, 0, 1])
    func hidden(_ policy: TablePolicy) -> FloatBuffer {
      FloatBuffer(rows.nodes.flatMap { policy.logits[$0].map { Float($0) } })
    }
    let (mine, frozen) = (hidden(self), hidden(.reference))
    let rowGradients = FloatBuffer(count: rows.nodes.count * size)
    let weightGradient = FloatBuffer(count: size * size)
    let head = VocabularyHead(weight: Floats(identity.pointer), vocabularySize: size, hiddenSize: size)
    var loss = HeadLoss(
      targetStarts: rows.targetStarts, targetTokens: rows.targetTokens, targetWeights: rows.targetWeights,
      forwardKLWeights: direction == .forward ? rows.klWeights : nil,
      reverseKLWeights: direction == .reverse ? rows.klWeights : nil)
    withExtendedLifetime((identity, mine, frozen, rowGradients, weightGradient)) {
      head.evaluate(
        &loss, hidden: mine.pointer, reference: ReferenceLogits(hidden: frozen.pointer, head: head),
        gradients: HeadGradients(hidden: rowGradients.pointer, weight: weightGradient.pointer))
    }
    var result = [Double](repeating: 0, count: Self.prefixes * size)
    for (row, node) in rows.nodes.enumerated() {
      for token in 0..<size { result[node * size + token] += Double(rowGradients.pointer[row * size + token]) }
    }
    return result
  }
}
