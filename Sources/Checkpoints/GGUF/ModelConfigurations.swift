import Foundation

/// The values of transformers' `LlamaConfig` that this program reads and writes.
struct LlamaValues {
  var vocabularySize: Int
  var hiddenSize: Int
  var intermediateSize: Int
  var layers: Int
  var heads: Int
  var keyValueHeads: Int
  var headDimension: Int
  var positions: Int
  var normEpsilon: Double
  var ropeBase = 10_000.0
  var ropeScaling: RotaryScaling?
  var tiesEmbeddings: Bool
  var hasAttentionBias = false
  var hasFeedForwardBias = false
  var beginning: Int?
  var ends: [Int] = []
  var padding: Int?

  /// A `config.json` that transformers of versions 4 and 5 read alike.
  var json: Data {
    var rope: [(String, ConfigurationValue)] = [("rope_theta", .number(ropeBase))]
    var scaling: [(String, ConfigurationValue)] = [("rope_type", .text("default"))]
    switch ropeScaling {
    case nil: break
    case .linear(let factor): scaling = [("factor", .number(factor)), ("rope_type", .text("linear"))]
    case .llama3(let factor, let low, let high, let originalPositions):
      scaling = [
        ("factor", .number(factor)), ("high_freq_factor", .number(high)), ("low_freq_factor", .number(low)),
        ("original_max_position_embeddings", .integer(originalPositions)), ("rope_type", .text("llama3")),
      ]
    }
    rope += scaling
    return configurationText([
      ("architectures", .list([.text("LlamaForCausalLM")])),
      ("attention_bias", .flag(hasAttentionBias)),
      ("attention_dropout", .number(0)),
      ("bos_token_id", .optional(beginning)),
      ("dtype", .text("float32")),
      ("eos_token_id", .identifiers(ends)),
      ("head_dim", .integer(headDimension)),
      ("hidden_act", .text("silu")),
      ("hidden_size", .integer(hiddenSize)),
      ("initializer_range", .number(0.02)),
      ("intermediate_size", .integer(intermediateSize)),
      ("max_position_embeddings", .integer(positions)),
      ("mlp_bias", .flag(hasFeedForwardBias)),
      ("model_type", .text("llama")),
      ("num_attention_heads", .integer(heads)),
      ("num_hidden_layers", .integer(layers)),
      ("num_key_value_heads", .integer(keyValueHeads)),
      ("pad_token_id", .optional(padding)),
      ("pretraining_tp", .integer(1)),
      ("rms_norm_eps", .number(normEpsilon)),
      ("rope_parameters", .object(rope)),
      ("rope_scaling", ropeScaling == nil ? .null : .object(scaling)),
      ("rope_theta", .number(ropeBase)),
      ("tie_word_embeddings", .flag(tiesEmbeddings)),
      ("use_cache", .flag(true)),
      ("vocab_size", .integer(vocabularySize)),
    ])
  }
}

/// The values of transformers' `GPT2Config` that this program reads and writes.
struct GPT2Values {
  var vocabularySize: Int
  var hiddenSize: Int
  var intermediateSize: Int
  var layers: Int
  var heads: Int
  var positions: Int
  var normEpsilon: Double
  var tiesEmbeddings: Bool
  var beginning: Int?
  var ends: [Int] = []
  var padding: Int?

  /// A `config.json` for transformers.
  var json: Data {
    configurationText([
      ("activation_function", .text("gelu_new")),
      ("architectures", .list([.text("GPT2LMHeadModel")])),
      ("attn_pdrop", .number(0)),
      ("bos_token_id", .optional(beginning)),
      ("dtype", .text("float32")),
      ("embd_pdrop", .number(0)),
      ("eos_token_id", .identifiers(ends)),
      ("initializer_range", .number(0.02)),
      ("layer_norm_epsilon", .number(normEpsilon)),
      ("model_type", .text("gpt2")),
      ("n_embd", .integer(hiddenSize)),
      ("n_head", .integer(heads)),
      // Left out where it is four times the width, as transformers has it.
      ("n_inner", intermediateSize == 4 * hiddenSize ? .null : .integer(intermediateSize)),
      ("n_layer", .integer(layers)),
      ("n_positions", .integer(positions)),
      ("pad_token_id", .optional(padding)),
      ("reorder_and_upcast_attn", .flag(false)),
      ("resid_pdrop", .number(0)),
      ("scale_attn_by_inverse_layer_idx", .flag(false)),
      ("scale_attn_weights", .flag(true)),
      ("tie_word_embeddings", .flag(tiesEmbeddings)),
      ("use_cache", .flag(true)),
      ("vocab_size", .integer(vocabularySize)),
    ])
  }
}

/// A value of a configuration; texts are fixed words that need no escapes.
indirect enum ConfigurationValue {
  case null
  case flag(Bool)
  case integer(Int)
  case number(Double)
  case text(StaticString)
  case list([ConfigurationValue])
  case object([(String, ConfigurationValue)])

  /// One number, or a list of several.
  static func identifiers(_ values: [Int]) -> ConfigurationValue {
    values.count > 1 ? .list(values.map { .integer($0) }) : .optional(values.first)
  }

  static func optional(_ value: Int?) -> ConfigurationValue { value.map { .integer($0) } ?? .null }

  fileprivate func text(indent: String) -> String {
    switch self {
    case .null: return "null"
    case .flag(let value): return value ? "true" : "false"
    case .integer(let value): return "\(value)"
    case .number(let value):
      // A number that came as a 32-bit float is written as short as that allows: 1e-05, not 9.999999747378752e-06.
      let single = Float(value)
      return Double(single) == value ? "\(single)" : "\(value)"
    case .text(let value): return "\"\(value)\""
    case .list(let values):
      return "[" + values.map { $0.text(indent: indent) }.joined(separator: ", ") + "]"
    case .object(let members):
      let lines = members.map { "\(indent)  \"\($0.0)\": \($0.1.text(indent: indent + "  "))" }
      return "{\n" + lines.joined(separator: ",\n") + "\n\(indent)}"
    }
  }
}

private func configurationText(_ members: [(String, ConfigurationValue)]) -> Data {
  Data((ConfigurationValue.object(members).text(indent: "") + "\n").utf8)
}
