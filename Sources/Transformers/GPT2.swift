import Kernels

// GPT-2 keeps its matrices as [in, out] (`Conv1D`), queries, keys and values in one of them.
// The reference is transformers' `modeling_gpt2.py`.

extension GPT2Configuration: DecoderConfiguration {
  /// What transformers puts before the names of the base model's tensors; the Hub's `gpt2` goes without it.
  public static let basePrefix = "transformer."

  /// Mask buffers that older files carry.
  public static func buffer(_ tensor: String) -> CheckpointBuffer? {
    .ofLayer(
      tensor, after: basePrefix + "h.",
      ["attn.bias": CheckpointBuffer.mask, "attn.masked_bias": { _ in .maskedScore }])
  }

  /// Sizes and tensors.
  public var decoder: DecoderDescription {
    var builder = DecoderBuilder()
    let prefix = Self.basePrefix
    let tokenEmbedding = builder.table(prefix + "wte", vocabularySize, hiddenSize)
    let positionEmbedding = builder.table(prefix + "wpe", contextLength, hiddenSize)
    func matrix(_ name: String, _ outputSize: Int, inputSize: Int) -> DecoderPlaces.Linear {
      builder.linear([(name, outputSize)], inputSize: inputSize, hasBias: true, order: .inputMajor)
    }
    let layers = (0..<layerCount).map { index in
      let name = "\(prefix)h.\(index)."
      return DecoderPlaces.Layer(
        norm1: builder.norm(name + "ln_1", size: hiddenSize, hasBias: true),
        queryKeyValue: matrix(name + "attn.c_attn", 3 * hiddenSize, inputSize: hiddenSize),
        output: matrix(name + "attn.c_proj", hiddenSize, inputSize: hiddenSize),
        norm2: builder.norm(name + "ln_2", size: hiddenSize, hasBias: true),
        inner: matrix(name + "mlp.c_fc", intermediateSize, inputSize: hiddenSize),
        projection: matrix(name + "mlp.c_proj", hiddenSize, inputSize: intermediateSize))
    }
    let finalNorm = builder.norm(prefix + "ln_f", size: hiddenSize, hasBias: true)
    let head = tiesEmbeddings ? tokenEmbedding : builder.table("lm_head", vocabularySize, hiddenSize)
    let attention = TreeAttention(
      headCount: headCount, headDimension: headDimension, scale: 1 / Float(headDimension).squareRoot())
    let shape = DecoderShape(
      vocabularySize: vocabularySize, contextLength: contextLength, hiddenSize: hiddenSize,
      intermediateSize: intermediateSize, attention: Array(repeating: attention, count: layerCount),
      norm: .layer(epsilon: layerNormEpsilon), activation: .gelu)
    return DecoderDescription(
      shape: shape, layout: builder.layout,
      places: DecoderPlaces(
        tokenEmbedding: tokenEmbedding, positionEmbedding: positionEmbedding, layers: layers, finalNorm: finalNorm,
        head: head))
  }
}
