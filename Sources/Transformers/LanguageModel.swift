public import Checkpoints
public import Foundation
public import Kernels

/// A matrix that every token's vector is multiplied with.
public struct LinearShape: Sendable, Hashable {
  /// Rows of the matrix.
  public var outputSize: Int
  /// Columns of the matrix.
  public var inputSize: Int

  /// The shape of a matrix [outputSize, inputSize].
  public init(outputSize: Int, inputSize: Int) {
    self.outputSize = outputSize
    self.inputSize = inputSize
  }

  /// FLOPs of one token's product with the matrix.
  public var flops: Int { 2 * outputSize * inputSize }
}

/// A causal language model over trees of tokens, with explicit forward and backward passes.
///
/// Each architecture is one conforming class. Parameters are one flat buffer; whoever updates them must not compute
/// with the model at the same time.
public protocol LanguageModel: AnyObject, Sendable {
  /// Number of tokens.
  var vocabularySize: Int { get }
  /// Longest sequence, in tokens.
  var contextLength: Int { get }
  /// Size of the hidden state that the head reads.
  var hiddenSize: Int { get }
  /// The tokens that end a text, as far as the configuration names any.
  var endOfTextIDs: [Int] { get }
  /// Names, shapes and places of all tensors.
  var layout: ParameterLayout { get }
  /// The parameters, in the order of ``layout``.
  var parameters: FloatBuffer { get }
  /// Where the head's weight starts in ``parameters``: the token embedding's place where the two are tied.
  var headOffset: Int { get }

  /// What is trained instead of the parameters, if anything.
  var adapter: LowRankAdapter? { get }

  /// What a user is to know about the files that it was loaded from, a sentence each: where they contradict each other.
  var notes: [String] { get }

  /// The matrices below the head that each token is multiplied with, from first to last.
  var linearShapes: [LinearShape] { get }

  /// FLOPs of attention in one forward pass: the scores and the weighted sums of values, of all layers.
  func attentionFlops(_ tree: TokenTree) -> Int

  /// An independent copy: the frozen reference.
  func copy() -> any LanguageModel

  /// Memory for the nodes of a tree.
  func makeActivations(capacity: Int, keepsForBackward: Bool) -> Activations

  /// Computes `nodes`; all nodes before them must have been computed with the same activations.
  ///
  /// Afterwards row r of `activations.hidden` is the normalised hidden state of node r.
  func forward(_ tree: TokenTree, nodes: Range<Int>, activations: Activations)

  /// Adds the gradients of all trained parameters below the head.
  ///
  /// - Parameters:
  ///   - hiddenGradient: [tree.count, hiddenSize]: the loss's gradient with respect to `activations.hidden`.
  ///   - gradients: as long as ``trainedParameters``.
  func backward(_ tree: TokenTree, activations: Activations, hiddenGradient: FloatBuffer, gradients: FloatBuffer)

  /// The same model, with the same parameters in the same memory, that trains a new low-rank adapter in their place.
  ///
  /// - Parameter maximumRank: the largest rank; the hidden size where nil, since more adds nothing to what can be trained.
  /// - Throws: ``LowRankError`` where the settings do not fit the model.
  func adapted(_ settings: LowRankSettings, seed: UInt64, maximumRank: Int?) throws -> any LanguageModel

  /// A model whose parameters have the adapter added to them; itself where there is none.
  func merged() -> any LanguageModel

  /// The same model, with the same parameters in the same memory, without an adapter.
  func withoutAdapter() -> any LanguageModel

  /// The content of `config.json`.
  ///
  /// - Throws: an encoder's error, which a valid model does not cause.
  func encodedConfiguration() throws -> Data
}

extension LanguageModel {
  /// The head: hidden states to logits.
  public var head: VocabularyHead {
    VocabularyHead(
      weight: Floats(parameters.pointer + headOffset), vocabularySize: vocabularySize, hiddenSize: hiddenSize)
  }

  /// The same model, with the same parameters in the same memory, that trains a new low-rank adapter in their place.
  ///
  /// - Throws: ``LowRankError`` where the settings do not fit the model.
  public func adapted(_ settings: LowRankSettings, seed: UInt64) throws -> any LanguageModel {
    try adapted(settings, seed: seed, maximumRank: nil)
  }

  /// The first of the tokens that end a text.
  public var endOfTextID: Int? { endOfTextIDs.first }

  /// What an optimiser changes: the adapter's matrices where there is one, else all parameters.
  public var trainedParameters: FloatBuffer { adapter?.parameters ?? parameters }

  /// Number of parameters.
  public var parameterCount: Int { layout.count }

  /// FLOPs of a forward pass below the head, the small change of norms and activations left out.
  public func forwardFlops(_ tree: TokenTree) -> Int {
    tree.count * linearShapes.reduce(0) { $0 + $1.flops } + attentionFlops(tree)
  }

  /// Writes `config.json` and `model.safetensors`, which transformers loads, into an existing folder, an adapter added to the
  /// parameters.
  ///
  /// - Throws: ``CheckpointError`` where the folder cannot be written or a parameter is not finite.
  public func save(to folder: URL, elementType: ElementType) throws {
    try writeAtomically(try encodedConfiguration(), to: folder.appending(path: "config.json"))
    try withTensors { tensors in
      try writeSafetensors(tensors, elementType: elementType, to: folder.appending(path: "model.safetensors"))
    }
  }

  /// Writes a GGUF file, which llama.cpp and Ollama load, an adapter added to the parameters.
  ///
  /// - Throws: ``CheckpointError`` for an architecture that the format does not have, and as ``save(to:elementType:)`` does.
  public func saveGGUF(
    to file: URL, vocabulary: GGUFVocabulary, matrices: GGUFMatrixType, name: String? = nil
  ) throws {
    let configuration = try encodedConfiguration()
    try withTensors { tensors in
      try writeGGUF(
        tensors, configuration: configuration, vocabulary: vocabulary, matrices: matrices, name: name, to: file)
    }
  }

  /// Calls `body` with all tensors, an adapter added to them.
  private func withTensors(_ body: ([TensorToWrite]) throws -> Void) throws {
    let model = merged()
    let tensors = model.layout.parameters.map { parameter in
      TensorToWrite(
        name: parameter.name, shape: parameter.shape,
        values: UnsafeBufferPointer(rebasing: model.parameters.elements[parameter.range]))
    }
    try withExtendedLifetime(model) { try body(tensors) }
  }

  /// Computes a whole tree.
  public func forward(_ tree: TokenTree, activations: Activations) {
    forward(tree, nodes: 0..<tree.count, activations: activations)
  }
}
