import Checkpoints
import Foundation
import Kernels
import TestSupport
import Testing
import Transformers

/// What a damaged or hostile `config.json` leads to: an error of one line, never a trap, and no memory taken.
@Suite struct NeoConfigurationTests {
  @Test(arguments: [
    Damage(["model_type": nil], "model_type"), Damage(["model_type": "null"], "model_type"),
    Damage(["model_type": "\"gpt_neox\""], "'gpt_neox' is not supported"), Damage(["model_type": "7"], "model_type"),
    Damage(["hidden_size": "9"], "not a multiple"), Damage(["hidden_size": "0"], "hidden_size"),
    Damage(["hidden_size": "-8"], "hidden_size"), Damage(["hidden_size": "\"8\""], "hidden_size"),
    Damage(["hidden_size": "8.5"], "config.json"), Damage(["hidden_size": "1e30"], "config.json"),
    Damage(["hidden_size": "9223372036854775807"], "hidden_size"),
    Damage(["hidden_size": "-9223372036854775808"], "hidden_size"),
    Damage(["hidden_size": nil], "wte.weight"), Damage(["hidden_size": "[8]"], "hidden_size"),
    Damage(["num_heads": "0"], "num_heads"), Damage(["num_heads": "-2"], "num_heads"),
    Damage(["num_heads": "3"], "not a multiple"), Damage(["num_heads": nil], "not a multiple"),
    Damage(["num_heads": "9223372036854775807"], "num_heads"),
    Damage(["vocab_size": "0"], "vocab_size"), Damage(["vocab_size": "-1"], "vocab_size"),
    Damage(["vocab_size": "9223372036854775807"], "vocab_size"), Damage(["vocab_size": nil], "wte.weight"),
    Damage(["vocab_size": "12"], "wte.weight"),
    Damage(["max_position_embeddings": "0"], "max_position_embeddings"),
    Damage(["max_position_embeddings": "17"], "wpe.weight"),
    Damage(["max_position_embeddings": "-16"], "max_position_embeddings"),
    Damage(["window_size": "0"], "window_size"), Damage(["window_size": "-4"], "window_size"),
    Damage(["window_size": "9223372036854775807"], "window_size"),
    Damage(["intermediate_size": "0"], "intermediate_size"), Damage(["intermediate_size": "-32"], "intermediate_size"),
    Damage(["intermediate_size": "33"], "c_fc.weight"),
    Damage(["layer_norm_epsilon": "0"], "layer_norm_epsilon"),
    Damage(["layer_norm_epsilon": "-1e-5"], "layer_norm_epsilon"),
    Damage(["layer_norm_epsilon": "\"NaN\""], "layer_norm_epsilon"),
    Damage(["layer_norm_epsilon": "1e400"], "config.json"),
    Damage(["initializer_range": "-1"], "initializer_range"), Damage(["initializer_range": "1e39"], "config.json"),
    Damage(["activation_function": "\"relu\""], "activation 'relu'"),
    Damage(["activation_function": "3"], "activation_function"),
    Damage(["tie_word_embeddings": "1"], "tie_word_embeddings"),
    Damage(["tie_word_embeddings": "false"], "lm_head.weight"),
    Damage(["eos_token_id": "\"x\""], "eos_token_id"),
    Damage(["num_layers": "3"], "num_layers"), Damage(["num_layers": "-1"], "num_layers"),
    Damage(["num_layers": nil], "num_layers"), Damage(["num_layers": "9223372036854775807"], "num_layers"),
    Damage(["attention_layers": "[\"global\"]"], "num_layers"),
    Damage(["attention_layers": "[]", "num_layers": "0"], "num_layers"),
    Damage(["attention_layers": "[\"global\", \"sparse\"]"], "attention_layers"),
    Damage(["attention_layers": "[\"global\", \"local\", \"global\"]", "num_layers": "3"], "h.2."),
    Damage(["attention_layers": nil, "attention_types": "[[[\"global\"], 3]]"], "num_layers"),
    Damage(["attention_layers": nil, "attention_types": "[[[\"global\"], -1]]"], "attention_types"),
    Damage(["attention_layers": nil, "attention_types": "[[[\"global\"], 9223372036854775807]]"], "attention_types"),
    Damage(["attention_layers": nil, "attention_types": "[[3]]"], "attention_types"),
    Damage(["attention_layers": nil, "attention_types": "[[]]"], "attention_types"),
    Damage(["attention_layers": nil, "attention_types": "\"global\""], "attention_types"),
  ])
  func `a damaged configuration is refused in one line`(damage: Damage) throws {
    let source = Architecture.neo.source("tied")
    try expectError(source, configuration: try configuration(of: source, damage.changes), damage.expected)
  }

  @Test func `sizes that no computer holds are refused before memory is taken`() throws {
    let source = Architecture.neo.source("tied")
    let huge: [[String: String?]] = [
      ["vocab_size": "4194304", "hidden_size": "65536"],
      ["max_position_embeddings": "1048576", "hidden_size": "65536"],
      ["intermediate_size": "262144", "hidden_size": "65536"],
      [
        "vocab_size": "4194304", "hidden_size": "65536", "num_heads": "4096", "intermediate_size": "262144",
        "max_position_embeddings": "1048576", "num_layers": "1024", "tie_word_embeddings": "false",
        "attention_layers": "[" + [String](repeating: "\"local\"", count: 1_024).joined(separator: ",") + "]",
      ],
    ]
    for changes in huge {
      try expectError(source, configuration: try configuration(of: source, changes), "transformer.w")
    }
    // Files that hold the token embedding, but not what the rest announces.
    try expectError(
      source, configuration: try configuration(of: source, ["intermediate_size": "262144"]), "c_fc.weight")
    try expectError(
      source, configuration: try configuration(of: source, ["max_position_embeddings": "1048576"]), "wpe.weight")
  }

  @Test func `many long patterns of layers are refused before they are written out`() throws {
    let source = Architecture.neo.source("tied")
    let kinds = "[" + [String](repeating: "\"local\"", count: 50_000).joined(separator: ",") + "]"
    let pattern = "[[\(kinds), 1024], [\(kinds), 1024]]"
    try expectError(
      source, configuration: try configuration(of: source, ["attention_layers": nil, "attention_types": pattern]),
      "attention_types")
  }

  @Test func `a random model that no computer holds is refused`() {
    let configuration = GPTNeoConfiguration(
      vocabularySize: 4_194_304, hiddenSize: 65_536, layerCount: 1_024, headCount: 4_096, contextLength: 1_048_576,
      endOfTextID: nil)
    do {
      _ = try GPTNeo(randomWith: configuration, seed: 1)
      Issue.record("it was made")
    } catch {
      #expect("\(error)".contains("memory") && isOneLine("\(error)"), "\(error)")
    }
  }

  @Test func `an end-of-text token outside of the vocabulary is no token of the model`() throws {
    let tied = Architecture.neo.source("tied")
    try withModel(tied, configuration: try configuration(of: tied, ["eos_token_id": "50256"])) { source in
      let model = try loadLanguageModel(source)
      #expect(model.endOfTextID == nil)
    }
    #expect(try loadLanguageModel(tied).endOfTextID == 10)
  }

  @Test func `keys that transformers may omit take its defaults`() throws {
    let tied = Architecture.neo.source("tied")
    let omitted = try configuration(
      of: tied,
      [
        "intermediate_size": nil, "layer_norm_epsilon": nil, "activation_function": nil, "tie_word_embeddings": nil,
        "initializer_range": nil, "attention_layers": nil, "bos_token_id": nil, "eos_token_id": "null",
      ])
    try withModel(tied, configuration: omitted) { source in
      let model = try #require(try loadLanguageModel(source) as? GPTNeo)
      var expected = try #require(try loadLanguageModel(tied) as? GPTNeo).configuration
      expected.beginningOfTextID = nil
      expected.endOfTextIDs = []
      #expect(model.configuration == expected)
    }
  }
}
