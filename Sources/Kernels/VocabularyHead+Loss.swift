/// The logits of a frozen model, to which KL is measured.
public struct ReferenceLogits {
  /// Size of the reference's vocabulary, which must be the policy's.
  public var vocabularySize: Int
  /// Writes the logits of some rows, [rows, vocabularySize].
  public var write: (Range<Int>, MutableFloats) -> Void

  /// Logits from wherever they come.
  public init(vocabularySize: Int, write: @escaping (Range<Int>, MutableFloats) -> Void) {
    self.vocabularySize = vocabularySize
    self.write = write
  }

  /// Logits computed from hidden states, row for row.
  ///
  /// - Parameters:
  ///   - hidden: [rows, hiddenSize] of the reference model.
  ///   - head: the reference model's head; its hidden size may differ, its vocabulary may not.
  public init(hidden: Floats, head: VocabularyHead) {
    self.init(vocabularySize: head.vocabularySize) { rows, logits in
      linear(
        hidden + rows.lowerBound * head.hiddenSize, weight: head.weight, into: logits,
        rows: rows.count, inputSize: head.hiddenSize, outputSize: head.vocabularySize)
    }
  }
}

/// Where ``VocabularyHead/evaluate(_:hidden:reference:gradients:)`` puts gradients.
public struct HeadGradients {
  /// [rows, hiddenSize], overwritten.
  public var hidden: MutableFloats
  /// [vocabularySize, hiddenSize], added to; nil where the head is not trained.
  public var weight: MutableFloats?

  /// Memory for the gradients.
  public init(hidden: MutableFloats, weight: MutableFloats?) {
    self.hidden = hidden
    self.weight = weight
  }
}

extension VocabularyHead {
  /// Logits, log-softmax, entropy, both KLs and, where asked for, the gradients of `loss`, a chunk of rows at a time.
  ///
  /// - Parameters:
  ///   - loss: its weights are read, its results written.
  ///   - hidden: [loss.rowCount, hiddenSize].
  ///   - kept: logits of the first rows, computed before, as ``forEachRow(_:rows:keepingIn:_:)`` left them; overwritten.
  ///   - reference: the frozen model's logits, or nil: KLs are then zero and their weights must be.
  ///   - gradients: nil to evaluate only.
  /// - Complexity: 2 * rows * vocabularySize * hiddenSize FLOPs for each of: logits, reference, two gradients.
  public func evaluate(
    _ loss: inout HeadLoss, hidden: Floats, kept: UnsafeMutableBufferPointer<Float>? = nil,
    reference: ReferenceLogits? = nil, gradients: HeadGradients? = nil
  ) {
    let rows = loss.rowCount
    let chunk = chunkSize(rows: rows)
    let keptRows = min(rows, (kept?.count ?? 0) / vocabularySize)
    if let reference {
      precondition(
        reference.vocabularySize == vocabularySize, "\(reference.vocabularySize) tokens against \(vocabularySize)")
    }
    withScratch((reference == nil ? 1 : 2) * chunk * vocabularySize) { scratch in
      let referenceLogits = reference == nil ? nil : scratch + chunk * vocabularySize
      forEachChunk(rows: rows, keptRows: keptRows) { start, count in
        let chunkHidden = hidden + start * hiddenSize
        var logits = scratch
        if start < keptRows, let kept = kept?.baseAddress {
          logits = kept + start * vocabularySize
        } else {
          linear(
            chunkHidden, weight: weight, into: logits, rows: count, inputSize: hiddenSize, outputSize: vocabularySize)
        }
        if let reference, let referenceLogits { reference.write(start..<start + count, referenceLogits) }
        evaluateRows(start..<start + count, &loss, logits, referenceLogits, writesGradients: gradients != nil)
        if let gradients {
          linearInputGradient(
            logits, weight: weight, into: gradients.hidden + start * hiddenSize,
            rows: count, inputSize: hiddenSize, outputSize: vocabularySize)
          if let weightGradient = gradients.weight {
            accumulateLinearWeightGradient(
              chunkHidden, outputGradient: logits, weightGradient: weightGradient,
              rows: count, inputSize: hiddenSize, outputSize: vocabularySize)
          }
        }
      }
    }
  }

  /// Rows of one chunk; where asked for, each row of logits is replaced by its gradient.
  private func evaluateRows(
    _ rows: Range<Int>, _ loss: inout HeadLoss, _ logits: MutableFloats, _ referenceLogits: MutableFloats?,
    writesGradients: Bool
  ) {
    loss.withRows { view in
      parallel(rows.count, minimumChunk: 8_192 / vocabularySize + 1) { part in
        for index in part {
          view.evaluate(
            row: rows.lowerBound + index, logits + index * vocabularySize,
            referenceLogits.map { $0 + index * vocabularySize }, count: vocabularySize, writesGradients: writesGradients
          )
        }
      }
    }
  }
}

/// The arrays of a ``HeadLoss`` as several threads see them: each row is written by one thread only.
private struct HeadLossRows {
  let starts: UnsafePointer<Int>
  let tokens: UnsafePointer<Int32>
  let weights: Floats
  let forwardWeights: Floats
  let reverseWeights: Floats
  let logProbabilities: MutableFloats
  let referenceLogProbabilities: MutableFloats
  let entropies: MutableFloats
  let forwardKLs: MutableFloats
  let reverseKLs: MutableFloats

  func evaluate(
    row: Int, _ logits: MutableFloats, _ referenceLogits: MutableFloats?, count: Int, writesGradients: Bool
  ) {
    let targets = starts[row]..<starts[row + 1]
    let normalizer = logSumExp(logits, count: count)
    for target in targets { logProbabilities[target] = logits[Int(tokens[target])] - normalizer }
    let reverseWeight = reverseWeights[row]
    if let referenceLogits {
      let referenceNormalizer = logSumExp(referenceLogits, count: count)
      for target in targets {
        referenceLogProbabilities[target] = referenceLogits[Int(tokens[target])] - referenceNormalizer
      }
      // Differences of log-probabilities, not of sums: KLs of 1e-6 nats must not drown in rounding.
      let divergence = compareRows(
        logits, normalizer, referenceLogits, referenceNormalizer, count: count, keepsDifferences: reverseWeight != 0)
      entropies[row] = divergence.entropy
      forwardKLs[row] = divergence.forward
      reverseKLs[row] = divergence.reverse
    } else {
      entropies[row] = probabilitiesInPlace(logits, normalizer, count: count)
    }
    guard writesGradients else { return }
    let targetWeight = targets.reduce(Float(0)) { $0 + weights[$1] }
    if let referenceLogits, reverseWeight != 0 {
      reverseKLGradient(
        logits, differences: referenceLogits, count: count, probabilityWeight: targetWeight, klWeight: reverseWeight,
        kl: reverseKLs[row])
    } else if let referenceLogits, forwardWeights[row] != 0 {
      forwardKLGradient(
        logits, reference: referenceLogits, count: count, probabilityWeight: targetWeight,
        klWeight: forwardWeights[row])
    } else {
      scaleInPlace(logits, by: targetWeight, count: count)
    }
    for target in targets { logits[Int(tokens[target])] -= weights[target] }
  }
}

extension HeadLoss {
  fileprivate mutating func withRows(_ body: (HeadLossRows) -> Void) {
    targetStarts.withUnsafeBufferPointer { starts in
      targetTokens.withUnsafeBufferPointer { tokens in
        targetWeights.withUnsafeBufferPointer { weights in
          forwardKLWeights.withUnsafeBufferPointer { forwardWeights in
            reverseKLWeights.withUnsafeBufferPointer { reverseWeights in
              targetLogProbabilities.withUnsafeMutableBufferPointer { logProbabilities in
                targetReferenceLogProbabilities.withUnsafeMutableBufferPointer { referenceLogProbabilities in
                  entropies.withUnsafeMutableBufferPointer { entropies in
                    forwardKLs.withUnsafeMutableBufferPointer { forwardKLs in
                      reverseKLs.withUnsafeMutableBufferPointer { reverseKLs in
                        // An array without elements has no address; none of its elements is then read.
                        guard let starts = starts.baseAddress, let forwardWeights = forwardWeights.baseAddress,
                          let reverseWeights = reverseWeights.baseAddress, let entropies = entropies.baseAddress,
                          let forwardKLs = forwardKLs.baseAddress, let reverseKLs = reverseKLs.baseAddress,
                          let tokens = tokens.baseAddress, let weights = weights.baseAddress,
                          let logProbabilities = logProbabilities.baseAddress,
                          let referenceLogProbabilities = referenceLogProbabilities.baseAddress
                        else { return }
                        body(
                          HeadLossRows(
                            starts: starts, tokens: tokens, weights: weights, forwardWeights: forwardWeights,
                            reverseWeights: reverseWeights, logProbabilities: logProbabilities,
                            referenceLogProbabilities: referenceLogProbabilities, entropies: entropies,
                            forwardKLs: forwardKLs, reverseKLs: reverseKLs))
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }
}
