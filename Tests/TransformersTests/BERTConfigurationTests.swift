import Checkpoints
import Foundation
import TestSupport
import Testing
import Transformers

@Suite struct BERTConfigurationTests {
  @Test func `the file of transformers is read, and written as it was read`() throws {
    let configuration = try BERTConfiguration(source: BERTGolden.source)
    let expected = BERTConfiguration(
      vocabularySize: 50, hiddenSize: 32, layerCount: 2, headCount: 4, intermediateSize: 48, contextLength: 24,
      typeCount: 2, layerNormEpsilon: 1e-5)
    #expect(configuration == expected)
    let copy = try JSONDecoder().decode(BERTConfiguration.self, from: JSONEncoder().encode(configuration))
    #expect(copy == expected)
  }

  @Test func `keys that transformers leaves out take its defaults`() throws {
    let keys = ["type_vocab_size", "layer_norm_eps", "hidden_act", "position_embedding_type", "is_decoder"]
    try withChangedBERT(Dictionary(uniqueKeysWithValues: keys.map { ($0, NSNull()) })) { source in
      let configuration = try BERTConfiguration(source: source)
      #expect(configuration.typeCount == 2 && configuration.layerNormEpsilon == 1e-12)
    }
  }

  @Test(arguments: [
    ("model_type", "\"roberta\""), ("hidden_act", "\"gelu_new\""), ("hidden_act", "\"relu\""),
    ("position_embedding_type", "\"relative_key\""), ("is_decoder", "true"), ("vocab_size", "0"),
    ("hidden_size", "-32"), ("hidden_size", "9223372036854775807"), ("num_hidden_layers", "0"),
    ("num_hidden_layers", "100000"), ("num_attention_heads", "0"), ("num_attention_heads", "5"),
    ("intermediate_size", "0"), ("max_position_embeddings", "0"), ("type_vocab_size", "0"),
    ("layer_norm_eps", "-1"), ("layer_norm_eps", "1e39"), ("layer_norm_eps", "0"), ("hidden_size", "\"large\""),
    ("vocab_size", "null"),
  ])
  func `a value that makes no model is refused by its key`(key: String, value: String) throws {
    let fragment = try JSONSerialization.jsonObject(with: Data(value.utf8), options: .fragmentsAllowed)
    try withChangedBERT([key: fragment]) { source in
      let failure = loadingFailure(source)
      #expect(failure.contains(key) && failure.contains("config.json"), "\(failure)")
    }
  }

  @Test func `a number with a fraction where a whole one is needed is refused`() throws {
    try withChangedBERT(["hidden_size": 1.5]) { source in
      #expect(loadingFailure(source).contains("config.json is damaged"))
    }
  }

  @Test func `a small file that announces a huge model takes no memory`() throws {
    try withChangedBERT(["vocab_size": 16_000_000, "hidden_size": 65_536]) { source in
      #expect(loadingFailure(source).contains("model.safetensors holds"))
    }
  }
}
