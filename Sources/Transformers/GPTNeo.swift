import Kernels

// GPT-Neo differs from GPT-2 in ways that are easy to miss: attention scores are not divided by the root of the head's size,
// queries, keys and values have no bias, and every other layer sees only the last `windowSize` tokens.
// The reference is transformers' `modeling_gpt_neo.py`.

extension GPTNeoConfiguration: DecoderConfiguration {
  /// What transformers puts before the names of the base model's tensors.
  public static let basePrefix = "transformer."

  /// Mask buffers that files of 2021 to 2023 carry.
  public static func buffer(_ tensor: String) -> CheckpointBuffer? {
    .ofLayer(
      tensor, after: basePrefix + "h.",
      ["attn.attention.bias": CheckpointBuffer.mask, "attn.attention.masked_bias": { _ in .maskedScore }])
  }

  /// Sizes and tensors.
  public var decoder: DecoderDescription {
    var builder = DecoderBuilder()
    let prefix = Self.basePrefix
    let tokenEmbedding = builder.table(prefix + "wte", vocabularySize, hiddenSize)
    let positionEmbedding = builder.table(prefix + "wpe", contextLength, hiddenSize)
    let layers = attentionLayers.indices.map { index in
      let name = "\(prefix)h.\(index)."
      let attention = name + "attn.attention."
      return DecoderPlaces.Layer(
        norm1: builder.norm(name + "ln_1", size: hiddenSize, hasBias: true),
        queryKeyValue: builder.linear(
          ["q_proj", "k_proj", "v_proj"].map { (attention + $0, hiddenSize) }, inputSize: hiddenSize, hasBias: false),
        output: builder.linear([(attention + "out_proj", hiddenSize)], inputSize: hiddenSize, hasBias: true),
        norm2: builder.norm(name + "ln_2", size: hiddenSize, hasBias: true),
        inner: builder.linear([(name + "mlp.c_fc", intermediateSize)], inputSize: hiddenSize, hasBias: true),
        projection: builder.linear([(name + "mlp.c_proj", hiddenSize)], inputSize: intermediateSize, hasBias: true))
    }
    let finalNorm = builder.norm(prefix + "ln_f", size: hiddenSize, hasBias: true)
    let head = tiesEmbeddings ? tokenEmbedding : builder.table("lm_head", vocabularySize, hiddenSize)
    let shape = DecoderShape(
      vocabularySize: vocabularySize, contextLength: contextLength, hiddenSize: hiddenSize,
      intermediateSize: intermediateSize,
      attention: attentionLayers.map {
        TreeAttention(
          headCount: headCount, headDimension: headDimension, window: $0 == .local ? windowSize : .max, scale: 1)
      },
      norm: .layer(epsilon: layerNormEpsilon), activation: .gelu)
    return DecoderDescription(
      shape: shape, layout: builder.layout,
      places: DecoderPlaces(
        tokenEmbedding: tokenEmbedding, positionEmbedding: positionEmbedding, layers: layers, finalNorm: finalNorm,
        head: head))
  }
}
