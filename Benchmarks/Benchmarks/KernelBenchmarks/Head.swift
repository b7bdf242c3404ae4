import Benchmark
import TinyAlign

/// From hidden states to logits, and to the loss with its gradients.
func registerHeads() {
  for shape in headShapes {
    for rows in [1, 64, 512, 2048] where shape.isWorthwhile(rows: rows) {
      let logits = shape.operations(rows: rows)
      measure("head logits, \(shape.name), \(rowCount(rows))", .operations(logits)) {
        let operands = HeadOperands(shape, rows: rows)
        return Prepared {
          operands.head.forEachRow(operands.hidden.pointer, rows: rows) { _, logits in blackHole(logits) }
        }
      }
      guard rows > 1 else { continue }
      // Logits and two gradients; with a reference its logits too.
      measure("head loss and gradients, \(shape.name), \(rowCount(rows))", .operations(3 * logits)) {
        preparedLoss(shape, rows: rows, hasReference: false)
      }
      measure("head loss and gradients, reference, \(shape.name), \(rowCount(rows))", .operations(4 * logits)) {
        preparedLoss(shape, rows: rows, hasReference: true)
      }
    }
  }
}

/// The hidden states and the weight of a head.
private struct HeadOperands {
  /// [rows, hidden].
  let hidden: FloatBuffer
  /// [vocabulary, hidden].
  let weight: FloatBuffer
  let head: VocabularyHead

  init(_ shape: HeadShape, rows: Int) {
    hidden = randomFloats(rows * shape.hidden)
    weight = randomFloats(shape.vocabulary * shape.hidden, scale: 0.05)
    head = VocabularyHead(weight: weight.pointer, vocabularySize: shape.vocabulary, hiddenSize: shape.hidden)
  }
}

/// A loss with one target in each row, and where there is a reference the divergence from it.
private func preparedLoss(_ shape: HeadShape, rows: Int, hasReference: Bool) -> Prepared {
  let policy = HeadOperands(shape, rows: rows)
  let reference = hasReference ? HeadOperands(shape, rows: rows) : nil
  let referenceLogits = reference.map { ReferenceLogits(hidden: $0.hidden.pointer, head: $0.head) }
  let hiddenGradient = FloatBuffer(count: policy.hidden.count)
  let weightGradient = FloatBuffer(count: policy.weight.count)
  let rowWeights = [Float](repeating: 1 / Float(rows), count: rows)
  var loss = HeadLoss(
    targetStarts: Array(0...rows), targetTokens: (0..<rows).map { Int32($0 % shape.vocabulary) },
    targetWeights: rowWeights, forwardKLWeights: hasReference ? rowWeights : nil)
  return Prepared {
    withExtendedLifetime(reference) {
      policy.head.evaluate(
        &loss, hidden: policy.hidden.pointer, reference: referenceLogits,
        gradients: HeadGradients(hidden: hiddenGradient.pointer, weight: weightGradient.pointer))
    }
  }
}

/// What is done to rows of logits: their normaliser, and draws from them.
func registerLogitRows() {
  for shape in headShapes {
    let vocabulary = shape.vocabulary
    for rows in [1, 64, 512, 2048] where shape.isWorthwhile(rows: rows) {
      measure("log-sum-exp, \(shape.name), \(rowCount(rows))", .floats(rows * vocabulary)) {
        let logits = randomFloats(rows * vocabulary, scale: 8)
        return Prepared {
          parallel(rows, minimumChunk: 8_192 / vocabulary + 1) { part in
            for row in part { blackHole(logSumExp(logits.pointer + row * vocabulary, count: vocabulary)) }
          }
        }
      }
    }
    for draws in [1, 1024] {
      measure("draw, \(shape.name), \(draws == 1 ? "1 token" : "\(draws) tokens")", .floats(vocabulary)) {
        let logits = randomFloats(vocabulary, scale: 8)
        let uniforms = (0..<draws).map { (Double($0) + 0.5) / Double(draws) }
        return Prepared {
          var sum = 0
          drawTokens(logits.pointer, count: vocabulary, uniforms: uniforms) { _, token, _ in sum += token }
          blackHole(sum)
        }
      }
    }
  }
}
