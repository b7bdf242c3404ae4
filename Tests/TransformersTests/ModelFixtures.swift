import Checkpoints
import Foundation
import Kernels
import TestSupport
import Testing
import Transformers

/// An architecture and its golden files, whose names begin with it; the scripts in `Scripts/goldens` wrote them.
enum Architecture: String, CaseIterable, Sendable, CustomTestStringConvertible {
  case neo, llama, gpt2

  var testDescription: String { rawValue }

  /// A model's folder.
  func source(_ name: String) -> ModelSource { .folder(goldenURL("\(rawValue)-\(name)")) }

  /// A model.
  func model(_ name: String) throws -> any LanguageModel { try loadLanguageModel(source(name)) }

  /// Expected tensors.
  func tensors(_ name: String) throws -> GoldenTensors { try GoldenTensors("\(rawValue)-\(name).safetensors") }

  /// What the script wrote beside the tensors.
  func facts() throws -> GoldenFacts {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(GoldenFacts.self, from: golden("\(rawValue)-facts.json", in: .module))
  }
}

private func goldenURL(_ name: String) -> URL {
  Bundle.module.bundleURL.appending(path: "Goldens").appending(path: name)
}

/// Inputs, and what came of them in single numbers.
struct GoldenFacts: Decodable {
  struct Sample: Decodable {
    var tokenIds: [Int]
    var advantage: Float
  }
  struct Loss: Decodable {
    var name: String
    var weight: Float
    var direction: String
    var reduction: String
    var value: Double
  }
  struct Training: Decodable {
    var name: String
    var rate: Float
    var maximumNorm: Double?
    var losses: [Double]
    var norms: [Double]
  }
  struct Schedule: Decodable {
    var shape: String
    var warmup: Int
    var total: Int
    var final: Double
    var factors: [Double]
  }
  var sequences: [[Int]]
  var prompt: [Int]
  var samples: [Sample]
  var normalizer: Float
  var losses: [Loss]
  var trainingSequences: [[Int]]
  var training: [Training]
  var schedules: [Schedule]?
  var variantSequence: [Int]
}

/// The tensors of a golden file.
struct GoldenTensors {
  let file: Safetensors

  init(_ name: String) throws { file = try Safetensors(MappedBytes(file: goldenURL(name)), name: name) }

  func values(_ name: String) throws -> [Float] {
    guard let shape = file.shape(of: name) else { throw CheckpointError.missingTensor(name: name, file: file.name) }
    var values = [Float](repeating: 0, count: shape.reduce(1, *))
    try values.withUnsafeMutableBufferPointer { try file.copyFloats(of: name, into: $0) }
    return values
  }

  /// The tensor called `name`, which must have the parameter's shape too.
  func values(_ name: String, of parameter: Parameter) throws -> [Float] {
    if let shape = file.shape(of: name), shape != parameter.shape {
      throw CheckpointError.shapeMismatch(tensor: name, expected: parameter.shape, found: shape, file: file.name)
    }
    return try values(name)
  }
}

/// Compares gradients, or whatever lies in a model's layout, tensor by tensor.
func expectTensors(
  _ actual: FloatBuffer, of model: any LanguageModel, relative: Double = 1e-5, _ label: String = "",
  equal expected: (Parameter) throws -> [Float], sourceLocation: SourceLocation = #_sourceLocation
) rethrows {
  for parameter in model.layout.parameters {
    let comparison = Comparison(Array(actual.elements[parameter.range]), try expected(parameter))
    #expect(
      comparison.matches(relative: relative), "\(label) \(parameter.name): \(comparison)",
      sourceLocation: sourceLocation)
  }
}

extension LanguageModel {
  /// Logits of all nodes, one row after the other.
  func logits(_ activations: Activations, rows: Int) -> [Float] {
    let result = FloatBuffer(count: rows * vocabularySize)
    // Each row is written by one thread only.
    nonisolated(unsafe) let pointer = result.pointer
    let size = vocabularySize
    head.forEachRow(activations.hidden.pointer, rows: rows) { row, logits in
      (pointer + row * size).update(from: logits, count: size)
    }
    return result.array
  }

  /// Log-probabilities [sequence, vocabulary] of a plain sequence.
  func logProbabilities(_ sequence: [Int]) -> [Float] {
    var tree = TokenTree()
    tree.appendChain(sequence)
    let activations = makeActivations(capacity: tree.count, keepsForBackward: false)
    forward(tree, activations: activations)
    var logits = logits(activations, rows: tree.count)
    logits.withUnsafeMutableBufferPointer { logits in
      guard let start = logits.baseAddress else { return }
      for row in 0..<tree.count {
        let values = start + row * vocabularySize
        let normalizer = logSumExp(values, count: vocabularySize)
        for index in 0..<vocabularySize { values[index] -= normalizer }
      }
    }
    return logits
  }
}

/// The nodes of samples below their prompt, and the published loss on them.
struct SampleTree {
  var tree: TokenTree
  /// For each sample: the node that predicts its first token, then the nodes of its tokens.
  var paths: [[Int]]

  /// Samples that share their common beginnings.
  init(shared facts: GoldenFacts) {
    var builder = TokenTreeBuilder()
    paths = facts.samples.map { sample in
      Array(builder.insert(facts.prompt + sample.tokenIds).dropFirst(facts.prompt.count - 1))
    }
    tree = builder.tree
  }

  /// Samples each on a chain of their own.
  init(unshared facts: GoldenFacts) {
    var tree = TokenTree()
    paths = facts.samples.map { sample in
      Array(tree.appendChain(facts.prompt + sample.tokenIds).dropFirst(facts.prompt.count - 1))
    }
    self.tree = tree
  }

  /// One target for each token of each sample: repeated tokens of a node are separate targets.
  func loss(_ facts: GoldenFacts, _ kind: GoldenFacts.Loss, vocabularySize: Int) -> HeadLoss {
    let perToken = 1 / (Float(facts.samples.count) * facts.normalizer)
    let perDivergence = kind.weight * perToken / (kind.reduction == "sum" ? 1 : Float(vocabularySize))
    var targets = [[(token: Int, weight: Float)]](repeating: [], count: tree.count)
    for (sample, path) in zip(facts.samples, paths) {
      for (node, token) in zip(path, sample.tokenIds) { targets[node].append((token, sample.advantage * perToken)) }
    }
    var starts = [0]
    for targets in targets { starts.append(starts[starts.count - 1] + targets.count) }
    let divergences = targets.map { Float($0.count) * perDivergence }
    return HeadLoss(
      targetStarts: starts, targetTokens: targets.flatMap { $0.map { Int32($0.token) } },
      targetWeights: targets.flatMap { $0.map(\.weight) },
      forwardKLWeights: kind.direction == "forward" ? divergences : nil,
      reverseKLWeights: kind.direction == "reverse" ? divergences : nil)
  }
}

/// All gradients of `loss` on `tree`; `loss` gets its results.
func lossGradients(
  of loss: inout HeadLoss, _ tree: TokenTree, _ model: any LanguageModel, _ activations: Activations,
  reference: (any LanguageModel)? = nil
) -> FloatBuffer {
  let gradients = FloatBuffer(count: model.parameterCount)
  let hiddenGradient = FloatBuffer(count: tree.count * model.hiddenSize, isZeroed: false)
  let headGradients = HeadGradients(hidden: hiddenGradient.pointer, weight: gradients.pointer + model.headOffset)
  if let reference {
    let referenceActivations = reference.makeActivations(capacity: tree.count, keepsForBackward: false)
    reference.forward(tree, activations: referenceActivations)
    model.head.evaluate(
      &loss, hidden: activations.hidden.pointer,
      reference: ReferenceLogits(hidden: referenceActivations.hidden.pointer, head: reference.head),
      gradients: headGradients)
  } else {
    model.head.evaluate(&loss, hidden: activations.hidden.pointer, gradients: headGradients)
  }
  model.backward(tree, activations: activations, hiddenGradient: hiddenGradient, gradients: gradients)
  return gradients
}

/// Mean cross-entropy over all predicted tokens of sequences that follow one another in a tree.
func crossEntropy(_ sequences: [[Int]]) -> HeadLoss {
  let predicted = sequences.reduce(0) { $0 + $1.count - 1 }
  var starts = [0]
  var tokens: [Int32] = []
  for sequence in sequences {
    for node in sequence.indices {
      if node + 1 < sequence.count { tokens.append(Int32(sequence[node + 1])) }
      starts.append(tokens.count)
    }
  }
  return HeadLoss(
    targetStarts: starts, targetTokens: tokens,
    targetWeights: [Float](repeating: 1 / Float(predicted), count: tokens.count))
}

/// Fails unless matrices are normal with this deviation, weights of norms one and biases zero.
func expectInitialized(
  _ model: any LanguageModel, deviation: Double, sourceLocation: SourceLocation = #_sourceLocation
) {
  for parameter in model.layout.parameters {
    let values = model.parameters.elements[parameter.range].map(Double.init)
    if parameter.shape.count == 2 {
      let found = (values.reduce(0) { $0 + $1 * $1 } / Double(values.count)).squareRoot()
      #expect(abs(found - deviation) < deviation / 10, "\(parameter.name): \(found)", sourceLocation: sourceLocation)
      #expect(Set(values).count > values.count * 9 / 10, sourceLocation: sourceLocation)
    } else {
      let expected: Double = parameter.name.hasSuffix("weight") ? 1 : 0
      #expect(values.allSatisfy { $0 == expected }, "\(parameter.name)", sourceLocation: sourceLocation)
    }
  }
}
