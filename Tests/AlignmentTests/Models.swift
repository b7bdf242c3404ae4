import Alignment
import Checkpoints
import Foundation
import Kernels
import Rewards
import TestSupport
import Tokenizers
import Transformers

/// Sentences that tests train their tokenizers on.
let sentences = [
  "Once upon a time there was a cat.", "The cat sat on the mat.", "A dog saw the cat and ran.",
  "Once upon a time there was a dog.", "The sun was warm and the cat was happy.",
]

/// A tokenizer of all bytes and a few words.
func wordTokenizer() throws -> ByteLevelBPE { try ByteLevelBPETrainer(vocabularySize: 290).train(on: sentences) }

/// A tokenizer of the letters a to f and, as token 6, the end of text.
func letterTokenizer() throws -> ByteLevelBPE {
  try ByteLevelBPE(
    tokens: ["a", "b", "c", "d", "e", "f", "<|endoftext|>"], merges: [], specialTokenIDs: [6], endOfTextID: 6)
}

/// A small GPT-Neo whose next tokens are far from equally likely.
func randomModel(
  vocabularySize: Int, hiddenSize: Int = 16, contextLength: Int = 48, endOfTextID: Int? = nil, seed: UInt64 = 1
) throws -> GPTNeo {
  var configuration = GPTNeoConfiguration(
    vocabularySize: vocabularySize, hiddenSize: hiddenSize, layerCount: 2, headCount: 2, contextLength: contextLength,
    windowSize: 5, endOfTextID: endOfTextID)
  configuration.initializerRange = 0.3
  return try GPTNeo(randomWith: configuration, seed: seed)
}

/// A model whose next token has these probabilities, whatever came before.
func constantModel(_ probabilities: [Double], contextLength: Int = 48) throws -> GPTNeo {
  let model = try randomModel(vocabularySize: probabilities.count, contextLength: contextLength)
  for parameter in model.layout.parameters {
    let values = UnsafeMutableBufferPointer(rebasing: model.parameters.elements[parameter.range])
    switch parameter.name {
    case "transformer.ln_f.weight": values.update(repeating: 0)
    case "transformer.ln_f.bias":
      values.update(repeating: 0)
      values[0] = 1
    case "transformer.wte.weight":
      for (token, probability) in probabilities.enumerated() {
        values[token * model.hiddenSize] = Float(log(probability))
      }
    default: break
    }
  }
  return model
}

/// Writes model and tokenizer as a Hugging Face folder.
func save(_ model: GPTNeo, _ tokenizer: ByteLevelBPE, to folder: URL) throws {
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  try model.save(to: folder, elementType: .float32)
  try writeAtomically(tokenizer.tokenizerJSON(), to: folder.appending(path: "tokenizer.json"))
  try writeAtomically(tokenizer.tokenizerConfigJSON(), to: folder.appending(path: "tokenizer_config.json"))
}

/// Model and tokenizer together; the folder that they went through is gone afterwards.
func textModel(_ model: GPTNeo, _ tokenizer: ByteLevelBPE) throws -> TextModel {
  try withTemporaryFolder { folder in
    try save(model, tokenizer, to: folder)
    return try TextModel(name: "tiny", source: .folder(folder))
  }
}

/// A random model of words.
func wordModel(hiddenSize: Int = 16, seed: UInt64 = 1) throws -> TextModel {
  let tokenizer = try wordTokenizer()
  return try textModel(
    randomModel(
      vocabularySize: tokenizer.vocabularySize, hiddenSize: hiddenSize, endOfTextID: tokenizer.endOfTextID, seed: seed),
    tokenizer)
}

/// A random model of the letters a to f.
func letterModel(hiddenSize: Int = 16, contextLength: Int = 48, seed: UInt64 = 1) throws -> TextModel {
  try textModel(
    randomModel(
      vocabularySize: 7, hiddenSize: hiddenSize, contextLength: contextLength, endOfTextID: 6, seed: seed),
    letterTokenizer())
}

/// Each story is worth something between -1 and 1 that depends on all of its letters.
struct LetterReward: Reward {
  var name: String { "letters" }

  func rewards(for stories: [String]) -> [Float] {
    stories.map { story in
      let sum = story.utf8.enumerated().reduce(0.0) { $0 + Double($1.element) * Double($1.offset + 1) }
      return Float(sin(sum))
    }
  }
}

/// Gives the third story no number.
struct BrokenReward: Reward {
  var name: String { "broken" }
  var value = Float.nan

  func rewards(for stories: [String]) -> [Float] { stories.indices.map { $0 == 2 ? value : 0.5 } }
}

extension LanguageModel {
  /// Log-probabilities of the token after the last of `sequence`, in nats.
  func nextLogProbabilities(_ sequence: [Int]) -> [Double] {
    var tree = TokenTree()
    tree.appendChain(sequence)
    let activations = makeActivations(capacity: tree.count, keepsForBackward: false)
    forward(tree, activations: activations)
    let result = FloatBuffer(count: vocabularySize)
    // There is a single row.
    nonisolated(unsafe) let pointer = result.pointer
    let size = vocabularySize
    head.forEachRow(activations.hidden.pointer + (sequence.count - 1) * hiddenSize, rows: 1) { _, logits in
      pointer.update(from: logits, count: size)
    }
    let logits = result.array.map { Double($0) }
    let top = logits.max() ?? 0
    let normalizer = top + log(logits.reduce(0) { $0 + exp($1 - top) })
    return logits.map { $0 - normalizer }
  }
}

/// Stories of a model, with memory of their own.
func rollout(
  _ model: any LanguageModel, prompt: [Int], indices: Range<Int>, maxNewTokens: Int, stopTokens: Set<Int> = [],
  filter: SamplingFilter = SamplingFilter(), seed: UInt64 = 1, report: (([Int?]) -> Void)? = nil
) -> Rollout {
  let capacity = Rollout.nodeCapacity(
    promptLength: prompt.count, stories: indices.count, maxNewTokens: maxNewTokens)
  return Rollout(
    model, prompt: prompt, indices: indices, maxNewTokens: maxNewTokens, stopTokens: stopTokens, filter: filter,
    random: KeyedRandom(seed: seed), activations: model.makeActivations(capacity: capacity, keepsForBackward: false),
    report: report)
}
