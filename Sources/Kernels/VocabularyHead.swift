/// The last matrix of a language model, from hidden states to logits, with all that is done to logits fused to it.
///
/// The vocabulary is most of a small model's work, and rows x vocabulary would be most of its memory:
/// logits exist only for a chunk of rows at a time.
public struct VocabularyHead {
  /// [vocabularySize, hiddenSize].
  public var weight: Floats
  /// Number of tokens.
  public var vocabularySize: Int
  /// Size of a hidden state.
  public var hiddenSize: Int

  /// A head over a weight matrix [vocabularySize, hiddenSize].
  public init(weight: Floats, vocabularySize: Int, hiddenSize: Int) {
    self.weight = weight
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
  }

  /// FLOPs of one hidden state's logits.
  public var flops: Int { 2 * vocabularySize * hiddenSize }

  /// Rows whose logits are held at once: at most 80 MiB of them where that leaves enough for the products to be fast, and a
  /// multiple of what the products pack at once.
  public func chunkSize(rows: Int) -> Int {
    let unit = 192
    return max(1, min(rows, unit * max(1, min(3, (20 << 20) / vocabularySize / unit))))
  }

  /// Computes the logits of `rows` hidden states chunk by chunk and hands each row to `body`.
  ///
  /// Rows of a chunk may be handled on several threads at once.
  ///
  /// - Parameters:
  ///   - hidden: [rows, hiddenSize].
  ///   - kept: memory in which the logits of the first rows stay afterwards, as many as fit.
  ///   - body: gets the row's index and its logits [vocabularySize], which it may overwrite.
  public func forEachRow(
    _ hidden: Floats, rows: Int, keepingIn kept: UnsafeMutableBufferPointer<Float>? = nil,
    _ body: (Int, MutableFloats) -> Void
  ) {
    let chunk = chunkSize(rows: rows)
    let keptRows = min(rows, (kept?.count ?? 0) / vocabularySize)
    withScratch(keptRows == rows ? 0 : chunk * vocabularySize) { scratch in
      forEachChunk(rows: rows, keptRows: keptRows) { start, count in
        var logits = scratch
        if start < keptRows, let kept = kept?.baseAddress { logits = kept + start * vocabularySize }
        linear(
          hidden + start * hiddenSize, weight: weight, into: logits,
          rows: count, inputSize: hiddenSize, outputSize: vocabularySize)
        parallel(count, minimumChunk: 8_192 / vocabularySize + 1) { part in
          for row in part { body(start + row, logits + row * vocabularySize) }
        }
      }
    }
  }

  /// Calls `body` with the first row and the number of rows of each chunk; no chunk crosses row `keptRows`.
  func forEachChunk(rows: Int, keptRows: Int, _ body: (Int, Int) -> Void) {
    let chunk = chunkSize(rows: rows)
    var start = 0
    while start < rows {
      let count = min(chunk, (start < keptRows ? keptRows : rows) - start)
      body(start, count)
      start += count
    }
  }
}

/// What a loss asks of each row of logits, and what it learns of them.
///
/// The loss is the sum over rows of
/// - sum over the row's targets of -weight * log p(token), and
/// - forwardKLWeight * KL(reference || p) + reverseKLWeight * KL(p || reference), in nats over the whole vocabulary.
///
/// Every policy gradient and the cross-entropy of pretraining are of this form.
public struct HeadLoss: Sendable {
  /// targets of row r: `targetStarts[r]..<targetStarts[r + 1]`.
  public var targetStarts: [Int]
  /// Token of each target; distinct within a row or not.
  public var targetTokens: [Int32]
  /// Weight of each target; may be negative.
  public var targetWeights: [Float]
  /// Weight of KL(reference || p) of each row.
  public var forwardKLWeights: [Float]
  /// Weight of KL(p || reference) of each row; a row has a weight for one direction only.
  public var reverseKLWeights: [Float]

  /// log p of each target, in nats.
  public internal(set) var targetLogProbabilities: [Float]
  /// log of the reference's probability of each target, in nats; zero without a reference.
  public internal(set) var targetReferenceLogProbabilities: [Float]
  /// Entropy of p at each row, in nats.
  public internal(set) var entropies: [Float]
  /// KL(reference || p) at each row, in nats; zero without a reference.
  public internal(set) var forwardKLs: [Float]
  /// KL(p || reference) at each row, in nats; zero without a reference.
  public internal(set) var reverseKLs: [Float]

  /// A loss over `targetStarts.count - 1` rows; KL weights default to zero.
  public init(
    targetStarts: [Int], targetTokens: [Int32], targetWeights: [Float], forwardKLWeights: [Float]? = nil,
    reverseKLWeights: [Float]? = nil
  ) {
    let rows = targetStarts.count - 1
    precondition(rows >= 0 && targetStarts.last == targetTokens.count, "row starts must end at \(targetTokens.count)")
    precondition(targetWeights.count == targetTokens.count, "\(targetWeights.count) weights of \(targetTokens.count)")
    let zeros = [Float](repeating: 0, count: rows)
    self.targetStarts = targetStarts
    self.targetTokens = targetTokens
    self.targetWeights = targetWeights
    self.forwardKLWeights = forwardKLWeights ?? zeros
    self.reverseKLWeights = reverseKLWeights ?? zeros
    precondition(self.forwardKLWeights.count == rows && self.reverseKLWeights.count == rows, "a KL weight for each row")
    precondition(
      zip(self.forwardKLWeights, self.reverseKLWeights).allSatisfy { $0 == 0 || $1 == 0 },
      "a row can be held to its reference by one direction of KL only")
    targetLogProbabilities = [Float](repeating: 0, count: targetTokens.count)
    targetReferenceLogProbabilities = targetLogProbabilities
    entropies = zeros
    forwardKLs = zeros
    reverseKLs = zeros
  }

  /// Number of rows.
  public var rowCount: Int { targetStarts.count - 1 }

  /// The value of the loss, in nats times the weights.
  public var value: Double {
    var sum = 0.0
    for (weight, logProbability) in zip(targetWeights, targetLogProbabilities) {
      sum -= Double(weight) * Double(logProbability)
    }
    for row in 0..<rowCount {
      sum += Double(forwardKLWeights[row]) * Double(forwardKLs[row])
      sum += Double(reverseKLWeights[row]) * Double(reverseKLs[row])
    }
    return sum
  }
}
