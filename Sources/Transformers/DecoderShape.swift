import Kernels

/// What tells the architectures apart: a decoder of pre-normalised layers, each attention and then a feed-forward.
struct DecoderShape: Sendable {
  /// How hidden states are normalised before each half of a layer.
  enum Norm: Sendable {
    /// Layer normalisation, with weight and bias.
    case layer(epsilon: Float)
    /// Root-mean-square normalisation, with a weight only.
    case rootMeanSquare(epsilon: Float)
  }

  /// What happens between the two products of a feed-forward.
  enum Activation: Sendable {
    /// GELU by its tanh approximation.
    case gelu
    /// The first product gives a gate and a value: silu(gate) * value.
    case swiGLU
  }

  var vocabularySize: Int
  var contextLength: Int
  var hiddenSize: Int
  /// Size of a feed-forward's inside, after the activation.
  var intermediateSize: Int
  /// One entry a layer; they differ in their windows only.
  var attention: [TreeAttention]
  var norm: Norm
  var activation: Activation
  /// How queries and keys are turned; nil where positions are learned.
  var rotary: RotaryEmbedding?

  /// What the first product of a feed-forward gives.
  var innerSize: Int { activation == .swiGLU ? 2 * intermediateSize : intermediateSize }

  /// Whether a norm subtracts the mean, which the backward pass then needs.
  var savesMeans: Bool { if case .layer = norm { true } else { false } }
}

/// Where a decoder's tensors start in the parameter buffer.
struct DecoderPlaces: Sendable {
  /// A normalisation.
  struct Norm: Sendable {
    var weight: Int
    var bias: Int?
  }

  /// A product with one or several matrices that lie one after the other.
  struct Linear: Sendable {
    /// One of the matrices.
    struct Part: Sendable {
      /// The module's name as transformers has it, without `.weight`.
      var name: String
      var firstOutput: Int
      var outputCount: Int
    }

    var parts: [Part]
    var weight: Int
    var bias: Int?
    var inputSize: Int
    var outputSize: Int
    var order = WeightOrder.outputMajor
    /// What is added to it by a low-rank adapter.
    var updates: [LowRankUpdate] = []
  }

  struct Layer: Sendable {
    var norm1: Norm
    /// Queries, keys and values, so that one product computes all three.
    var queryKeyValue: Linear
    var output: Linear
    var norm2: Norm
    var inner: Linear
    var projection: Linear
  }

  var tokenEmbedding: Int
  var positionEmbedding: Int?
  var layers: [Layer]
  var finalNorm: Norm
  /// The head's weight: the token embedding's place where the two are tied.
  var head: Int
}
