import Checkpoints
import Foundation
import TestSupport
import Testing
import Transformers

/// What a damaged or hostile `config.json` of a GPT-2 leads to: an error of one line, never a trap, and no memory taken.
@Suite struct GPT2ConfigurationTests {
  private static let others: [Damage] = [
    Damage(["n_embd": nil], "wte.weight"), Damage(["n_embd": "9"], "not a multiple"),
    Damage(["n_embd": "16"], "wte.weight"), Damage(["n_head": "3"], "not a multiple"),
    Damage(["n_head": nil], "not a multiple"), Damage(["vocab_size": nil], "wte.weight"),
    Damage(["vocab_size": "12"], "wte.weight"), Damage(["n_positions": "17"], "wpe.weight"),
    Damage(["n_positions": nil], "wpe.weight"), Damage(["n_inner": "33"], "c_fc.weight"),
    Damage(["n_layer": "2"], "h.1."), Damage(["n_layer": nil], "h.1."),
    Damage(["layer_norm_epsilon": "0"], "layer_norm_epsilon"),
    Damage(["layer_norm_epsilon": "-1e-5"], "layer_norm_epsilon"),
    Damage(["layer_norm_epsilon": "\"NaN\""], "layer_norm_epsilon"),
    Damage(["layer_norm_epsilon": "1e400"], "config.json"),
    Damage(["initializer_range": "-1"], "initializer_range"), Damage(["initializer_range": "1e39"], "config.json"),
    Damage(["activation_function": "\"relu\""], "activation 'relu'"),
    Damage(["activation_function": "\"gelu\""], "activation 'gelu'"),
    Damage(["activation_function": "3"], "activation_function"),
    Damage(["tie_word_embeddings": "1"], "tie_word_embeddings"),
    Damage(["tie_word_embeddings": "false"], "lm_head.weight"),
    Damage(["scale_attn_weights": "false"], "scale_attn_weights"),
    Damage(["scale_attn_by_inverse_layer_idx": "true"], "scale_attn_by_inverse_layer_idx"),
    Damage(["add_cross_attention": "true"], "add_cross_attention"),
    Damage(["scale_attn_weights": "\"yes\""], "scale_attn_weights"), Damage(["eos_token_id": "\"x\""], "eos_token_id"),
  ]

  @Test(arguments: others + Damage.sizes("vocab_size", "n_embd", "n_head", "n_layer", "n_inner", "n_positions"))
  func `a damaged configuration is refused in one line`(damage: Damage) throws {
    let source = Architecture.gpt2.source("tied")
    try expectError(source, configuration: try configuration(of: source, damage.changes), damage.expected)
  }

  @Test func `sizes that no computer holds are refused before memory is taken`() throws {
    let source = Architecture.gpt2.source("tied")
    let all = [
      "vocab_size": "4194304", "n_embd": "65536", "n_head": "4096", "n_inner": "262144", "n_positions": "1048576",
      "n_layer": "1024", "tie_word_embeddings": "false",
    ]
    try expectError(source, configuration: try configuration(of: source, all), "wte.weight")
    for (key, tensor) in [("n_inner", "c_fc.weight"), ("n_positions", "wpe.weight"), ("n_layer", "h.1.")] {
      try expectError(source, configuration: try configuration(of: source, [key: all[key]]), tensor)
    }
  }

  @Test func `a random model that no computer holds is refused`() {
    let configuration = GPT2Configuration(
      vocabularySize: 4_194_304, hiddenSize: 65_536, layerCount: 1_024, headCount: 4_096, contextLength: 1_048_576,
      endOfTextID: nil)
    do {
      _ = try GPT2(randomWith: configuration, seed: 1)
      Issue.record("it was made")
    } catch {
      #expect("\(error)".contains("memory") && isOneLine("\(error)"), "\(error)")
    }
  }

  @Test func `keys that transformers may omit take its defaults`() throws {
    let source = Architecture.gpt2.source("tied")
    let omitted = try configuration(
      of: source,
      [
        "n_inner": nil, "layer_norm_epsilon": nil, "activation_function": nil, "tie_word_embeddings": nil,
        "initializer_range": nil, "bos_token_id": nil, "eos_token_id": "null", "scale_attn_weights": nil,
        "scale_attn_by_inverse_layer_idx": nil, "add_cross_attention": nil, "reorder_and_upcast_attn": "true",
      ])
    try withModel(source, configuration: omitted) { changed in
      let model = try #require(try loadLanguageModel(changed) as? GPT2)
      var expected = try #require(try loadLanguageModel(source) as? GPT2).configuration
      expected.beginningOfTextID = nil
      expected.endOfTextIDs = []
      #expect(model.configuration == expected)
      #expect(model.endOfTextID == nil)
    }
  }

  @Test func `an end-of-text token outside of the vocabulary is no token of the model`() throws {
    let source = Architecture.gpt2.source("tied")
    try withModel(source, configuration: try configuration(of: source, ["eos_token_id": "50256"])) { source in
      let model = try loadLanguageModel(source)
      #expect(model.endOfTextID == nil)
    }
    #expect(try loadLanguageModel(source).endOfTextID == 10)
  }
}
