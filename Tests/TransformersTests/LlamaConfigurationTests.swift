import Checkpoints
import Foundation
import TestSupport
import Testing
import Transformers

/// What a damaged or hostile `config.json` of a Llama leads to: an error of one line, never a trap, and no memory taken.
@Suite struct LlamaConfigurationTests {
  private static let llama3 = [
    "rope_type": "\"llama3\"", "rope_theta": "100", "factor": "8", "low_freq_factor": "1", "high_freq_factor": "4",
    "original_max_position_embeddings": "32",
  ]

  /// `rope_parameters` of Llama 3 with a value changed, or left out.
  private static func rope(_ key: String, _ value: String?, _ expected: String) -> Damage {
    var parameters = llama3
    parameters[key] = value
    let text = parameters.map { "\"\($0)\": \($1)" }.joined(separator: ", ")
    return Damage(["rope_parameters": "{\(text)}"], expected)
  }

  private static let rotary: [Damage] = [
    rope("rope_type", "\"yarn\"", "'yarn' is not supported"),
    rope("rope_type", "\"dynamic\"", "'dynamic' is not supported"), rope("rope_type", "7", "rope_type"),
    rope("rope_theta", "0", "rope_theta"), rope("rope_theta", "-1", "rope_theta"),
    rope("rope_theta", "\"100\"", "rope_theta"), rope("rope_theta", "1e39", "config.json"),
    rope("factor", nil, "factor is missing"), rope("factor", "0", "factor"), rope("factor", "-2", "factor"),
    rope("low_freq_factor", nil, "low_freq_factor is missing"), rope("low_freq_factor", "0", "low_freq_factor"),
    rope("low_freq_factor", "4", "low_freq_factor"), rope("high_freq_factor", nil, "high_freq_factor is missing"),
    rope("high_freq_factor", "0.5", "high_freq_factor"), rope("high_freq_factor", "-1", "high_freq_factor"),
    rope("original_max_position_embeddings", nil, "original_max_position_embeddings is missing"),
    rope("original_max_position_embeddings", "0", "original_max_position_embeddings"),
    rope("original_max_position_embeddings", "9223372036854775807", "original_max_position_embeddings"),
    rope("original_max_position_embeddings", "32.5", "config.json"),
    rope("partial_rotary_factor", "0.5", "partial_rotary_factor"),
    Damage(["rope_parameters": "3"], "rope_parameters"), Damage(["rope_parameters": "[]"], "rope_parameters"),
    Damage(["rope_parameters": nil, "rope_theta": "0"], "rope_theta"),
    Damage(["rope_parameters": nil, "rope_theta": "\"1\""], "rope_theta"),
    Damage(["rope_parameters": nil, "rope_scaling": "{\"type\": \"linear\"}"], "factor is missing"),
    Damage(["rope_parameters": nil, "rope_scaling": "{\"type\": \"linear\", \"factor\": 0}"], "factor"),
    Damage(["rope_parameters": nil, "rope_scaling": "{\"type\": \"dynamic\", \"factor\": 2}"], "'dynamic'"),
    Damage(["rope_parameters": nil, "rope_scaling": "{\"rope_type\": \"yarn\", \"factor\": 2}"], "'yarn'"),
    Damage(["rope_parameters": nil, "rope_scaling": "\"linear\""], "rope_scaling"),
  ]

  private static let others: [Damage] = [
    Damage(["hidden_size": nil], "embed_tokens.weight"), Damage(["hidden_size": "16"], "embed_tokens.weight"),
    Damage(["hidden_size": "9", "head_dim": nil], "not a multiple"),
    Damage(["num_attention_heads": "3"], "not a multiple of num_key_value_heads"),
    Damage(["num_key_value_heads": "3"], "not a multiple of num_key_value_heads"),
    Damage(["num_key_value_heads": "8"], "not a multiple of num_key_value_heads"),
    Damage(["num_key_value_heads": nil], "k_proj.weight"), Damage(["num_key_value_heads": "1"], "k_proj.weight"),
    Damage(["head_dim": "3"], "head_dim 3 is odd"), Damage(["head_dim": "4"], "q_proj.weight"),
    Damage(["num_attention_heads": "8", "head_dim": nil], "head_dim 1 is odd"),
    Damage(["num_attention_heads": "0", "head_dim": nil], "num_attention_heads"),
    Damage(["vocab_size": nil], "embed_tokens.weight"), Damage(["vocab_size": "12"], "embed_tokens.weight"),
    Damage(["intermediate_size": "13"], "gate_proj.weight"), Damage(["num_hidden_layers": "2"], "layers.1."),
    Damage(["num_hidden_layers": nil], "layers.1."),
    Damage(["rms_norm_eps": "0"], "rms_norm_eps"), Damage(["rms_norm_eps": "-1e-6"], "rms_norm_eps"),
    Damage(["rms_norm_eps": "\"NaN\""], "rms_norm_eps"), Damage(["rms_norm_eps": "1e400"], "config.json"),
    Damage(["initializer_range": "-1"], "initializer_range"), Damage(["initializer_range": "1e39"], "config.json"),
    Damage(["hidden_act": "\"gelu\""], "activation 'gelu'"), Damage(["hidden_act": "3"], "hidden_act"),
    Damage(["tie_word_embeddings": "1"], "tie_word_embeddings"),
    Damage(["tie_word_embeddings": "false"], "lm_head.weight"), Damage(["tie_word_embeddings": nil], "lm_head.weight"),
    Damage(["attention_bias": "true"], "q_proj.bias"), Damage(["attention_bias": "\"yes\""], "attention_bias"),
    Damage(["mlp_bias": "true"], "gate_proj.bias"), Damage(["mlp_bias": "0"], "mlp_bias"),
    Damage(["eos_token_id": "\"x\""], "eos_token_id"), Damage(["bos_token_id": "{}"], "bos_token_id"),
    Damage(["eos_token_id": "[\"x\"]"], "eos_token_id"),
  ]

  @Test(
    arguments: rotary + others
      + Damage.sizes(
        "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
        "num_key_value_heads", "head_dim", "max_position_embeddings"))
  func `a damaged configuration is refused in one line`(damage: Damage) throws {
    let source = Architecture.llama.source("tied")
    try expectError(source, configuration: try configuration(of: source, damage.changes), damage.expected)
  }

  @Test func `sizes that no computer holds are refused before memory is taken`() throws {
    let source = Architecture.llama.source("tied")
    let all = [
      "vocab_size": "4194304", "hidden_size": "65536", "num_attention_heads": "4096", "num_key_value_heads": "4096",
      "head_dim": "4096", "intermediate_size": "262144", "max_position_embeddings": "16777216",
      "num_hidden_layers": "1024", "tie_word_embeddings": "false", "attention_bias": "true", "mlp_bias": "true",
    ]
    try expectError(source, configuration: try configuration(of: source, all), "embed_tokens.weight")
    for (key, tensor) in [
      ("intermediate_size", "gate_proj.weight"), ("num_attention_heads", "q_proj.weight"),
      ("head_dim", "q_proj.weight"),
      ("num_hidden_layers", "layers.1."),
    ] {
      try expectError(source, configuration: try configuration(of: source, [key: all[key]]), tensor)
    }
  }

  @Test func `a random model that no computer holds is refused`() {
    let configuration = LlamaConfiguration(
      vocabularySize: 4_194_304, hiddenSize: 65_536, intermediateSize: 262_144, layerCount: 1_024, headCount: 512,
      keyValueHeadCount: 512, contextLength: 1_048_576, endOfTextID: nil)
    do {
      _ = try Llama(randomWith: configuration, seed: 1)
      Issue.record("it was made")
    } catch {
      #expect("\(error)".contains("memory") && isOneLine("\(error)"), "\(error)")
    }
  }

  @Test func `of several end-of-text tokens the first counts, and none outside of the vocabulary`() throws {
    let source = Architecture.llama.source("tied")
    for (json, expected) in [("[7, 9]", 7), ("7", 7), ("[]", nil), ("null", nil), ("128001", nil), ("-1", nil)] {
      try withModel(source, configuration: try configuration(of: source, ["eos_token_id": json])) { source in
        let model = try loadLanguageModel(source)
        #expect(model.endOfTextID == expected, "\(json)")
      }
    }
    #expect(try loadLanguageModel(source).endOfTextID == 10)
  }

  @Test func `keys that transformers may omit take its defaults`() throws {
    let source = Architecture.llama.source("tied")
    let omitted = try configuration(
      of: source,
      [
        "head_dim": nil, "hidden_act": nil, "attention_bias": nil, "mlp_bias": nil, "initializer_range": nil,
        "bos_token_id": nil, "eos_token_id": "null", "rms_norm_eps": nil, "max_position_embeddings": nil,
        "rope_parameters": nil,
      ])
    try withModel(source, configuration: omitted) { changed in
      let model = try #require(try loadLanguageModel(changed) as? Llama)
      var expected = try #require(try loadLanguageModel(source) as? Llama).configuration
      expected.beginningOfTextID = nil
      expected.endOfTextIDs = []
      expected.rmsNormEpsilon = 1e-6
      expected.contextLength = 2_048
      expected.rotaryBase = 10_000
      #expect(model.configuration == expected)
    }
  }

  @Test func `scaling that is null or of the default kind is none`() throws {
    let source = Architecture.llama.source("tied")
    for scaling in ["null", "{\"type\": \"default\"}", "{\"rope_type\": \"default\", \"factor\": 4}"] {
      let changed = try configuration(
        of: source, ["rope_parameters": nil, "rope_theta": "100.0", "rope_scaling": scaling])
      try withModel(source, configuration: changed) { changed in
        let model = try #require(try loadLanguageModel(changed) as? Llama)
        #expect(model.configuration == (try loadLanguageModel(source) as? Llama)?.configuration, "\(scaling)")
      }
    }
  }
}
