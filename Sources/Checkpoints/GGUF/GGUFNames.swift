/// The architectures that are read and written, under the name that GGUF and Hugging Face share.
enum GGUFArchitecture: String, CaseIterable {
  case llama
  case gpt2

  /// Their names, for messages.
  static var names: String { allCases.map(\.rawValue).joined(separator: " and ") }
}

/// One tensor of a model, or one of each block, under its two names (without `.weight` or `.bias`).
struct GGUFTensorRule {
  enum Rows {
    case asStored
    /// Rows of the query heads, which the file interleaves.
    case queryHeads
    /// Rows of the key heads, which the file interleaves.
    case keyHeads
    /// GPT-2's `Conv1D` keeps [in, out]; the file has [out, in].
    case transposed
  }

  enum Bias {
    case none
    case optional
    case required
  }

  let gguf: String
  let huggingFace: String
  var rows = Rows.asStored
  var bias = Bias.none
  /// A matrix that llama.cpp wants as 32-bit floats.
  var isAlwaysFloat = false
}

/// The names of an architecture's tensors in GGUF and in transformers.
///
/// From gguf-py's `tensor_mapping.py` and transformers' `modeling_llama.py` and `modeling_gpt2.py`.
struct GGUFNames {
  let globals: [GGUFTensorRule]
  let block: [GGUFTensorRule]
  /// What precedes a block's number in transformers.
  let huggingFacePrefix: String

  static let ggufPrefix = "blk."

  init(_ architecture: GGUFArchitecture) {
    switch architecture {
    case .llama:
      huggingFacePrefix = "model.layers."
      globals = [
        GGUFTensorRule(gguf: "token_embd", huggingFace: "model.embed_tokens"),
        GGUFTensorRule(gguf: "output_norm", huggingFace: "model.norm"),
        GGUFTensorRule(gguf: "output", huggingFace: "lm_head"),
      ]
      block = [
        GGUFTensorRule(gguf: "attn_norm", huggingFace: "input_layernorm"),
        GGUFTensorRule(gguf: "attn_q", huggingFace: "self_attn.q_proj", rows: .queryHeads, bias: .optional),
        GGUFTensorRule(gguf: "attn_k", huggingFace: "self_attn.k_proj", rows: .keyHeads, bias: .optional),
        GGUFTensorRule(gguf: "attn_v", huggingFace: "self_attn.v_proj", bias: .optional),
        GGUFTensorRule(gguf: "attn_output", huggingFace: "self_attn.o_proj", bias: .optional),
        GGUFTensorRule(gguf: "ffn_norm", huggingFace: "post_attention_layernorm"),
        GGUFTensorRule(gguf: "ffn_gate", huggingFace: "mlp.gate_proj", bias: .optional),
        GGUFTensorRule(gguf: "ffn_up", huggingFace: "mlp.up_proj", bias: .optional),
        GGUFTensorRule(gguf: "ffn_down", huggingFace: "mlp.down_proj", bias: .optional),
      ]
    case .gpt2:
      huggingFacePrefix = "transformer.h."
      globals = [
        GGUFTensorRule(gguf: "token_embd", huggingFace: "transformer.wte"),
        GGUFTensorRule(gguf: "position_embd", huggingFace: "transformer.wpe", isAlwaysFloat: true),
        GGUFTensorRule(gguf: "output_norm", huggingFace: "transformer.ln_f", bias: .required),
        GGUFTensorRule(gguf: "output", huggingFace: "lm_head"),
      ]
      block = [
        GGUFTensorRule(gguf: "attn_norm", huggingFace: "ln_1", bias: .required),
        GGUFTensorRule(gguf: "attn_qkv", huggingFace: "attn.c_attn", rows: .transposed, bias: .required),
        GGUFTensorRule(gguf: "attn_output", huggingFace: "attn.c_proj", rows: .transposed, bias: .required),
        GGUFTensorRule(gguf: "ffn_norm", huggingFace: "ln_2", bias: .required),
        GGUFTensorRule(gguf: "ffn_up", huggingFace: "mlp.c_fc", rows: .transposed, bias: .required),
        GGUFTensorRule(gguf: "ffn_down", huggingFace: "mlp.c_proj", rows: .transposed, bias: .required),
      ]
    }
  }

  /// The rule and the name in transformers of a tensor of a GGUF file, or nil where the architecture has none.
  func find(_ name: String) -> (rule: GGUFTensorRule, name: String, isBias: Bool)? {
    let isBias = name.hasSuffix(".bias")
    guard isBias || name.hasSuffix(".weight") else { return nil }
    let suffix = isBias ? ".bias" : ".weight"
    let stem = name.dropLast(suffix.count)
    guard stem.hasPrefix(Self.ggufPrefix) else {
      guard let rule = globals.first(where: { $0.gguf == stem }), !isBias || rule.bias != .none else { return nil }
      return (rule, rule.huggingFace + suffix, isBias)
    }
    let parts = stem.dropFirst(Self.ggufPrefix.count).split(
      separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    // A number that is written in another way than we would write it is another name.
    guard parts.count == 2, let number = Int(parts[0]), number >= 0, String(number) == parts[0],
      let rule = block.first(where: { $0.gguf == parts[1] }), !isBias || rule.bias != .none
    else { return nil }
    return (rule, "\(huggingFacePrefix)\(number).\(rule.huggingFace)\(suffix)", isBias)
  }

  /// The name in transformers of a table of rotary positions; nil for any other tensor.
  func rotaryTable(_ name: String) -> String? {
    let suffix = ".attn_rot_embd.weight"
    guard huggingFacePrefix == "model.layers.", name.hasPrefix(Self.ggufPrefix), name.hasSuffix(suffix) else {
      return nil
    }
    return
      "\(huggingFacePrefix)\(name.dropFirst(Self.ggufPrefix.count).dropLast(suffix.count)).self_attn.rotary_emb.inv_freq"
  }
}
