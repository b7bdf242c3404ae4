import Kernels
import ReferenceKernels
import Testing

/// A vocabulary head with a loss on each row, for the fast kernel and for plain loops.
struct HeadCase {
  enum Held {
    /// No reference model.
    case free
    /// A reference of its own hidden size.
    case stranger
    /// A reference whose hidden states and weights differ from the policy's by about this much.
    case near(Float)
  }

  let label: String
  let hidden: Guarded
  let weight: Guarded
  let head: VocabularyHead
  let referenceHidden: Guarded
  let referenceWeight: Guarded
  let reference: ReferenceLogits?
  var loss: HeadLoss
  let rowLosses: [Reference.RowLoss]
  let plainHead: Reference.Head
  let plainReference: Reference.Head?

  /// Rows take turns: no target, one, several, one token twice; no KL, forward, reverse.
  init(rows: Int, vocabulary: Int, size: Int, held: Held, spread: Float = 1, targets: Bool = true, seed: Int) {
    var random = TestRandom(seed)
    label = "\(rows) rows, \(vocabulary) tokens, hidden \(size), \(held)"
    hidden = Guarded(random.floats(rows * size, in: -2...2))
    weight = Guarded(random.floats(vocabulary * size, in: -spread...spread))
    head = VocabularyHead(weight: weight.readOnly, vocabularySize: vocabulary, hiddenSize: size)
    var otherSize = size
    switch held {
    case .free:
      (referenceHidden, referenceWeight) = (Guarded([]), Guarded([]))
    case .stranger:
      otherSize = size + 3
      referenceHidden = Guarded(random.floats(rows * otherSize, in: -2...2))
      referenceWeight = Guarded(random.floats(vocabulary * otherSize, in: -0.5...0.5))
    case .near(let distance):
      referenceHidden = Guarded(hidden.values.map { $0 + Float.random(in: -distance...distance, using: &random) })
      referenceWeight = Guarded(weight.values.map { $0 + Float.random(in: -distance...distance, using: &random) })
    }
    var isHeld = true
    if case .free = held { isHeld = false }
    let referenceHead = VocabularyHead(
      weight: referenceWeight.readOnly, vocabularySize: vocabulary, hiddenSize: otherSize)
    reference = isHeld ? ReferenceLogits(hidden: referenceHidden.readOnly, head: referenceHead) : nil
    plainHead = Reference.Head(hidden: hidden.values.doubles, weight: weight.values.doubles, hiddenSize: size)
    plainReference =
      isHeld
      ? Reference.Head(
        hidden: referenceHidden.values.doubles, weight: referenceWeight.values.doubles, hiddenSize: otherSize) : nil

    var starts = [0]
    var tokens: [Int32] = []
    var weights: [Float] = []
    var forward: [Float] = []
    var reverse: [Float] = []
    rowLosses = (0..<rows).map { row in
      let count = targets ? [1, 0, 2, 5, 1][row % 5] : 0
      var picked: [(token: Int, weight: Double)] = []
      for index in 0..<count {
        let isRepeated = row % 3 == 0 && index > 0
        let token = isRepeated ? Int(tokens[tokens.count - 1]) : random.int(0..<vocabulary)
        let weight = Float.random(in: -1...2, using: &random)
        tokens.append(Int32(token))
        weights.append(weight)
        picked.append((token, Double(weight)))
      }
      starts.append(tokens.count)
      let strength = Float.random(in: -1...3, using: &random)
      forward.append(isHeld && row % 4 == 1 ? strength : 0)
      reverse.append(isHeld && row % 4 == 2 ? strength : 0)
      return Reference.RowLoss(
        targets: picked, forwardKLWeight: Double(forward[row]), reverseKLWeight: Double(reverse[row]))
    }
    loss = HeadLoss(
      targetStarts: starts, targetTokens: tokens, targetWeights: weights, forwardKLWeights: forward,
      reverseKLWeights: reverse)
  }

  /// Also keeps the inputs alive while kernels hold their addresses.
  func checkInputs() { checkMargins(hidden, weight, referenceHidden, referenceWeight) }

  var plain: Reference.HeadValues { Reference.evaluate(rowLosses, head: plainHead, reference: plainReference) }
}
