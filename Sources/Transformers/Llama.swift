import Kernels

// The reference is transformers' `modeling_llama.py`.

extension LlamaConfiguration: DecoderConfiguration {
  /// What transformers puts before the names of the base model's tensors.
  public static let basePrefix = "model."

  /// Rotary frequencies that older files carry.
  public static func buffer(_ tensor: String) -> CheckpointBuffer? {
    tensor.hasSuffix("rotary_emb.inv_freq") ? .rotaryFrequencies : nil
  }

  /// Sizes and tensors.
  public var decoder: DecoderDescription {
    var builder = DecoderBuilder()
    let prefix = Self.basePrefix
    let querySize = headCount * headDimension
    let keyValueSize = keyValueHeadCount * headDimension
    let tokenEmbedding = builder.table(prefix + "embed_tokens", vocabularySize, hiddenSize)
    let layers = (0..<layerCount).map { index in
      let name = "\(prefix)layers.\(index)."
      let attention = name + "self_attn."
      let feedForward = name + "mlp."
      return DecoderPlaces.Layer(
        norm1: builder.norm(name + "input_layernorm", size: hiddenSize, hasBias: false),
        queryKeyValue: builder.linear(
          [
            (attention + "q_proj", querySize), (attention + "k_proj", keyValueSize),
            (attention + "v_proj", keyValueSize),
          ],
          inputSize: hiddenSize, hasBias: hasAttentionBias),
        output: builder.linear([(attention + "o_proj", hiddenSize)], inputSize: querySize, hasBias: hasAttentionBias),
        norm2: builder.norm(name + "post_attention_layernorm", size: hiddenSize, hasBias: false),
        inner: builder.linear(
          [(feedForward + "gate_proj", intermediateSize), (feedForward + "up_proj", intermediateSize)],
          inputSize: hiddenSize, hasBias: hasFeedForwardBias),
        projection: builder.linear(
          [(feedForward + "down_proj", hiddenSize)], inputSize: intermediateSize, hasBias: hasFeedForwardBias))
    }
    let finalNorm = builder.norm(prefix + "norm", size: hiddenSize, hasBias: false)
    let head = tiesEmbeddings ? tokenEmbedding : builder.table("lm_head", vocabularySize, hiddenSize)
    let attention = TreeAttention(
      headCount: headCount, keyValueHeadCount: keyValueHeadCount, headDimension: headDimension,
      scale: 1 / Float(headDimension).squareRoot())
    let shape = DecoderShape(
      vocabularySize: vocabularySize, contextLength: contextLength, hiddenSize: hiddenSize,
      intermediateSize: intermediateSize, attention: Array(repeating: attention, count: layerCount),
      norm: .rootMeanSquare(epsilon: rmsNormEpsilon), activation: .swiGLU, rotary: rotary)
    return DecoderDescription(
      shape: shape, layout: builder.layout,
      places: DecoderPlaces(tokenEmbedding: tokenEmbedding, layers: layers, finalNorm: finalNorm, head: head),
      unscaledFrequencies: RotaryEmbedding(headDimension: headDimension, base: rotaryBase).frequencies)
  }

  /// The rotary frequencies, scaled as the configuration says; in single precision, like transformers' `modeling_rope_utils.py`.
  var rotary: RotaryEmbedding {
    let plain = RotaryEmbedding(headDimension: headDimension, base: rotaryBase)
    switch rotaryScaling {
    case nil: return plain
    case .linear(let factor): return RotaryEmbedding(frequencies: plain.frequencies.map { $0 / factor })
    case .llama3(let scaling): return RotaryEmbedding(frequencies: plain.frequencies.map(scaling.scale))
    }
  }
}

extension LlamaConfiguration.Llama3Scaling {
  /// Slow turns are slowed down by the factor, fast ones not at all, those between by degrees.
  func scale(_ frequency: Float) -> Float {
    let wavelength = 2 * Float.pi / frequency
    let context = Float(originalContextLength)
    if wavelength > context / lowFrequencyFactor { return frequency / factor }
    if wavelength < context / highFrequencyFactor { return frequency }
    let smooth = (context / wavelength - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor)
    return (1 - smooth) * frequency / factor + smooth * frequency
  }
}
