import Foundation
import Kernels
public import Tokenizers
public import Transformers

/// Trains a GPT-Neo from plain text: cross-entropy of the next token, AdamW, validation on held-out documents.
///
/// Each document is a chain of its own in the token tree: nothing is attended to across documents and nothing is padded.
public final class Pretrainer {
  /// One line of progress.
  public struct Progress: Codable, Sendable {
    /// Updates so far.
    public var step: Int
    /// All updates planned.
    public var totalSteps: Int
    /// Tokens read so far.
    public var tokens: Int
    /// Cross-entropy of the training batch, nats a token.
    public var loss: Double
    /// Bits per byte of the held-out documents, where this step measured them.
    public var validationBitsPerByte: Double?
    /// Learning rate of the step.
    public var learningRate: Double
    /// Norm of the gradient before it was clipped.
    public var gradientNorm: Double
    /// Seconds since the start.
    public var seconds: Double

    enum CodingKeys: String, CodingKey {
      case step
      case totalSteps = "total_steps"
      case tokens
      case loss
      case validationBitsPerByte = "validation_bits_per_byte"
      case learningRate = "learning_rate"
      case gradientNorm = "gradient_norm"
      case seconds
    }
  }

  /// What a model that was validated achieved.
  public struct Validation: Sendable, Equatable {
    /// Updates until then.
    public var step: Int
    /// Bits per byte of the held-out documents.
    public var bitsPerByte: Double

    /// The validation after `step` updates.
    public init(step: Int, bitsPerByte: Double) {
      self.step = step
      self.bitsPerByte = bitsPerByte
    }
  }

  /// A stretch of a document that is one training sequence.
  private struct Piece {
    var document: Int
    var range: Range<Int>
  }

  /// The settings.
  public let configuration: PretrainingConfiguration
  /// The network as it is now.
  public let model: GPTNeo
  private let endOfText: Int
  private let training: [[Int]]
  private let validation: [[Int]]
  private let validationBytes: Int
  private let random: KeyedRandom

  /// Prepares training.
  ///
  /// - Parameters:
  ///   - documents: at least two texts; some are held out.
  ///   - addedDocuments: texts that are trained on only, such as text that another model wrote.
  ///   - tokenizer: must have an end-of-text token.
  /// - Throws: ``AlignmentError`` where the documents or the tokenizer do not serve.
  public init(
    configuration: PretrainingConfiguration, documents: [String], addedDocuments: [String] = [],
    tokenizer: any Tokenizer
  ) throws {
    try configuration.validate()
    guard let endOfText = tokenizer.endOfTextID else {
      throw AlignmentError.setting(name: "tokenizer", reason: "has no end-of-text token, which must end each document")
    }
    guard documents.count >= 2 else {
      throw AlignmentError.text(reason: "\(documents.count) document is too few: one is trained on, one held out")
    }
    self.configuration = configuration
    self.endOfText = endOfText
    random = KeyedRandom(seed: configuration.seed)
    var order = Array(documents.indices)
    var stream = RandomStream(random.keyed(0))
    order.shuffle(using: &stream)
    let heldOut = min(documents.count - 1, max(1, Int(Double(documents.count) * configuration.validationFraction)))
    validation = order.prefix(heldOut).map { tokenizer.encode(beginning: documents[$0]) }
    validationBytes = order.prefix(heldOut).reduce(0) { $0 + documents[$1].utf8.count }
    func framed(_ document: String) -> [Int] { [endOfText] + tokenizer.encode(beginning: document) + [endOfText] }
    let main = order.dropFirst(heldOut).map { framed(documents[$0]) }
    training = (0..<configuration.repeats).flatMap { _ in main } + addedDocuments.map(framed)
    model = try GPTNeo(
      randomWith: GPTNeoConfiguration(
        vocabularySize: tokenizer.vocabularySize, hiddenSize: configuration.hiddenSize,
        layerCount: configuration.layers, headCount: configuration.heads, contextLength: configuration.contextLength,
        windowSize: configuration.windowSize, endOfTextID: endOfText),
      seed: random.keyed(1).bits)
  }

  /// Tokens of one reading of all training documents.
  public var trainingTokenCount: Int { training.reduce(0) { $0 + $1.count } }

  /// The batches of one reading of all documents, in random order.
  ///
  /// Every other document, by chance, goes without the end-of-text token at its start, so that the model can begin
  /// a story with and without one.
  private func batches(pass: Int) -> [[Piece]] {
    let passRandom = random.keyed(2).keyed(pass)
    var order = Array(training.indices)
    var stream = RandomStream(passRandom.keyed(0))
    order.shuffle(using: &stream)
    var batches: [[Piece]] = [[]]
    var size = 0
    for document in order {
      var start = passRandom.keyed(1).keyed(document).uniform < 0.5 ? 0 : 1
      while start + 1 < training[document].count {
        let end = min(training[document].count, start + configuration.contextLength + 1)
        let length = end - start - 1
        if size + length > configuration.batchTokens, !batches[batches.count - 1].isEmpty {
          batches.append([])
          size = 0
        }
        batches[batches.count - 1].append(Piece(document: document, range: start..<end))
        size += length
        start = end - 1
      }
    }
    return batches
  }

  /// Trains to the end, until validation no longer improves, or until `report` returns false.
  ///
  /// - Parameters:
  ///   - report: called after each update; false ends training.
  ///   - save: called when a validation was the best so far.
  /// - Returns: the best validation, that of the model that was saved last; nil where training ended before the first one.
  /// - Throws: ``AlignmentError/diverged(step:reason:)`` and whatever `save` throws.
  @discardableResult public func train(
    report: (Progress) throws -> Bool, save: (Validation) throws -> Void
  ) throws -> Validation? {
    let passBatches = batches(pass: 0).count
    let totalSteps = max(1, Int((configuration.passes * Double(passBatches)).rounded()))
    let schedule = LearningRateSchedule(
      shape: configuration.learningRateSchedule, warmupSteps: min(configuration.warmupSteps, totalSteps / 4),
      totalSteps: totalSteps, finalFraction: configuration.finalLearningRateFraction)
    let optimizer = Optimizer(
      .adamW(beta2: Float(configuration.beta2)), weightDecay: Float(configuration.weightDecay),
      parameterCount: model.parameterCount)
    let gradients = FloatBuffer(count: model.parameterCount, isZeroed: false)
    let capacity = max(configuration.batchTokens, configuration.contextLength)
    let activations = model.makeActivations(capacity: capacity, keepsForBackward: true)
    let hiddenGradient = FloatBuffer(count: capacity * model.hiddenSize, isZeroed: false)
    let clock = ContinuousClock()
    let start = clock.now
    var best: Validation?
    var withoutProgress = 0
    var tokens = 0
    var step = 0
    var pass = 0
    while step < totalSteps {
      for batch in batches(pass: pass) where step < totalSteps {
        step += 1
        gradients.zero()
        let (loss, count) = accumulate(batch, activations, hiddenGradient, gradients)
        let norm = gradientNorm(gradients)
        guard norm.isFinite, loss.isFinite else {
          throw AlignmentError.diverged(step: step, reason: "the loss is no longer finite; lower learning_rate")
        }
        let learningRate = configuration.learningRate * schedule.factor(step: step)
        optimizer.step(
          model.parameters, gradients: gradients, learningRate: Float(learningRate),
          gradientScale: clippingScale(norm: norm, maximum: configuration.maxGradientNorm))
        tokens += count
        var bitsPerByte: Double?
        if step % configuration.validateEvery == 0 || step == totalSteps {
          let value = validationBitsPerByte()
          bitsPerByte = value
          guard value.isFinite else {
            throw AlignmentError.diverged(step: step, reason: "the validation is not finite; lower learning_rate")
          }
          let isBest = best.map { value < $0.bitsPerByte } ?? true
          withoutProgress = isBest ? 0 : withoutProgress + 1
          if isBest {
            let validation = Validation(step: step, bitsPerByte: value)
            best = validation
            try save(validation)
          }
        }
        let isWanted = try report(
          Progress(
            step: step, totalSteps: totalSteps, tokens: tokens, loss: loss, validationBitsPerByte: bitsPerByte,
            learningRate: learningRate, gradientNorm: norm, seconds: (clock.now - start) / .seconds(1)))
        if !isWanted || configuration.patience.map({ withoutProgress >= $0 }) ?? false { return best }
      }
      pass += 1
    }
    return best
  }

  /// Adds the gradient of a batch's mean cross-entropy; returns that, in nats, and the number of targets.
  private func accumulate(
    _ batch: [Piece], _ activations: Activations, _ hiddenGradient: FloatBuffer, _ gradients: FloatBuffer
  ) -> (loss: Double, count: Int) {
    var tree = TokenTree()
    var targets: [Int32] = []
    for piece in batch {
      let tokens = training[piece.document][piece.range]
      tree.appendChain(tokens.dropLast())
      targets += tokens.dropFirst().map(Int32.init)
    }
    model.forward(tree, activations: activations)
    let count = targets.count
    var loss = HeadLoss(
      targetStarts: Array(0...count), targetTokens: targets,
      targetWeights: [Float](repeating: 1 / Float(count), count: count))
    model.head.evaluate(
      &loss, hidden: activations.hidden.pointer,
      gradients: HeadGradients(hidden: hiddenGradient.pointer, weight: gradients.pointer + model.headOffset))
    model.backward(tree, activations: activations, hiddenGradient: hiddenGradient, gradients: gradients)
    return (loss.value, count)
  }

  /// Bits per byte of the held-out documents, each after an end-of-text token.
  public func validationBitsPerByte() -> Double {
    let scores = Scorer(model, beginning: endOfText).logProbabilities(of: validation)
    let nats = scores.reduce(0.0) { $0 - $1.reduce(0.0) { $0 + Double($1 ?? 0) } }
    return nats / log(2) / Double(validationBytes)
  }
}
