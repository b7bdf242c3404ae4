import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite struct GGUFModelTests {
  @Test(arguments: ["gguf-llama", "gguf-llama-q8", "gguf-gpt2"])
  func `finds the weights that transformers has`(name: String) throws {
    let file = try goldenGGUF(name)
    try expectEqual(file.huggingFaceWeights(), golden: "\(name).safetensors")
    // The key of a tied head is no tensor of its own.
    let tied = name == "gguf-llama-q8" ? nil : "lm_head.weight"
    #expect(tied.map { (try? file.huggingFaceWeights().shape(of: $0)) == .some(nil) } ?? true)
  }

  @Test func `writes the configuration of Llama that transformers has`() throws {
    let ours: Set = ["architectures", "dtype", "rope_scaling", "rope_theta", "rope_parameters"]
    for name in ["gguf-llama", "gguf-llama-q8"] {
      let data = try goldenGGUF(name).huggingFaceConfiguration()
      try expectConfiguration(data, golden: "\(name).json", besides: ours)
      let text = String(decoding: data, as: UTF8.self)
      #expect(text.contains("\"rms_norm_eps\": 1e-05,"))
    }
    let llama3 = try rope(of: "gguf-llama")
    #expect(llama3["rope_theta"] as? Double == 100 && llama3["rope_type"] as? String == "llama3")
    #expect(llama3["factor"] as? Double == 4)
    // A table tells these up to a common factor; it is 1 here.
    #expect(llama3["original_max_position_embeddings"] as? Int == 40)
    #expect(llama3["high_freq_factor"] as? Double == 9)
    #expect(llama3["low_freq_factor"] as? Double == 1)
    let linear = try rope(of: "gguf-llama-q8")
    #expect(linear["rope_type"] as? String == "linear" && linear["factor"] as? Double == 2)
    #expect(linear["rope_theta"] as? Double == 5000)
  }

  private func rope(of name: String) throws -> [String: Any] {
    let data = try goldenGGUF(name).huggingFaceConfiguration()
    let found = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let scaling = try #require(found["rope_scaling"] as? [String: Any])
    var parameters = try #require(found["rope_parameters"] as? [String: Any])
    #expect(found["rope_theta"] as? Double == parameters["rope_theta"] as? Double)
    for (key, value) in scaling { #expect(value as? NSObject == parameters[key] as? NSObject) }
    parameters["rope_type"] = scaling["rope_type"]
    return parameters
  }

  @Test func `writes the configuration of GPT-2 that transformers has`() throws {
    let ours: Set = ["architectures", "dtype", "attn_pdrop", "embd_pdrop", "resid_pdrop"]
    let data = try goldenGGUF("gguf-gpt2").huggingFaceConfiguration()
    try expectConfiguration(data, golden: "gguf-gpt2.json", besides: ours)
  }

  @Test func `reads the vocabularies`() throws {
    let bytes = try goldenGGUF("gguf-gpt2").vocabulary()
    #expect(bytes.model == "gpt2" && bytes.pre == "gpt-2" && bytes.merges == ["t 1", "Ġ é"] && bytes.scores == nil)
    #expect(bytes.tokens.count == 24 && bytes.tokens[0] == "t0" && bytes.tokens[22] == "Ġé")
    #expect(bytes.types == Array(repeating: 1, count: 23) + [3])
    #expect(bytes.beginning == 1 && bytes.end == 23 && bytes.unknown == 0 && bytes.padding == nil)
    #expect(bytes.addsBeginning == false && bytes.addsEnd == nil && bytes.addsSpacePrefix == nil)
    #expect(bytes.chatTemplate == "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}é{% endfor %}")
    let pieces = try goldenGGUF("gguf-llama-q8").vocabulary()
    #expect(pieces.model == "llama" && pieces.pre == nil && pieces.merges == nil)
    #expect(pieces.scores == (0..<24).map { -0.5 * Float($0) })
    #expect(pieces.addsBeginning == true && pieces.addsSpacePrefix == true)
  }

  /// A one-layer llama of width 4 whose parts a test changes; its weights are zeros.
  private func llama(
    _ change: (inout GGUFParts) -> Void = { _ in }, leavingOut left: String? = nil
  ) throws -> GGUFFile {
    var parts = GGUFParts()
    func add(_ key: String, _ value: UInt32) { if key != left { parts.add(key, value) } }
    if left != "general.architecture" { parts.add("general.architecture", "llama") }
    add("llama.embedding_length", 4)
    add("llama.attention.head_count", 2)
    add("llama.attention.head_count_kv", 1)
    add("llama.feed_forward_length", 3)
    add("llama.block_count", 1)
    add("llama.context_length", 9)
    if left != "epsilon" { parts.add("llama.attention.layer_norm_rms_epsilon", Float(1e-6)) }
    for (name, lengths) in [
      ("token_embd", [4, 5] as [UInt64]), ("output_norm", [4]), ("blk.0.attn_norm", [4]), ("blk.0.attn_q", [4, 4]),
      ("blk.0.attn_k", [4, 2]), ("blk.0.attn_v", [4, 2]), ("blk.0.attn_output", [4, 4]), ("blk.0.ffn_norm", [4]),
      ("blk.0.ffn_gate", [4, 3]), ("blk.0.ffn_up", [4, 3]), ("blk.0.ffn_down", [3, 4]),
    ] where name != left {
      parts.addTensor(name + ".weight", lengths, offset: UInt64(parts.tensors.count * 96))
    }
    change(&parts)
    parts.data = [UInt8](repeating: 0, count: parts.tensors.count * 96)
    return try GGUFFile(heldForever(parts.bytes), name: "a.gguf")
  }

  @Test func `takes what a sparse file leaves out from the defaults`() throws {
    let file = try llama()
    let text = String(decoding: try file.huggingFaceConfiguration(), as: UTF8.self)
    for line in [
      "\"head_dim\": 2,", "\"rope_theta\": 10000.0,", "\"rope_scaling\": null,", "\"bos_token_id\": null,",
      "\"vocab_size\": 5\n", "\"tie_word_embeddings\": true,", "\"rms_norm_eps\": 1e-06,", "\"pad_token_id\": null,",
    ] {
      #expect(text.contains(line), "\(line)")
    }
    #expect(try file.huggingFaceWeights().tensorNames.count == 11)
    #expect(message { try file.vocabulary() }?.contains("it holds no tokenizer") == true)
  }

  @Test func `refuses models that are not what they seem`() throws {
    func refused(_ wanted: String, leavingOut left: String? = nil, _ change: (inout GGUFParts) -> Void = { _ in })
      throws
    {
      let file = try llama(change, leavingOut: left)
      let found = message {
        _ = try file.huggingFaceConfiguration()
        _ = try file.huggingFaceWeights()
      }
      #expect(found?.contains(wanted) == true, "\(wanted): \(found ?? "accepted")")
      #expect(found?.hasPrefix("a.gguf") == true || found?.hasPrefix("tensor") == true)
    }
    try refused("there is no \"general.architecture\"", leavingOut: "general.architecture")
    try refused(
      "the GGUF architecture \"qwen2\" is not supported; supported are llama and gpt2",
      leavingOut: "general.architecture"
    ) {
      $0.add("general.architecture", "qwen2")
    }
    try refused("one of the 3 files of a split model; join them with llama.cpp") {
      $0.add("split.count", type: 2, little(UInt16(3)))
    }
    try refused("a mixture of 8 experts") { $0.add("llama.expert_count", UInt32(8)) }
    try refused("there is no \"llama.embedding_length\"", leavingOut: "llama.embedding_length")
    try refused("there is no \"llama.attention.layer_norm_rms_epsilon\"", leavingOut: "epsilon")
    try refused("\"llama.embedding_length\" is 0", leavingOut: "llama.embedding_length") {
      $0.add("llama.embedding_length", UInt32(0))
    }
    try refused("\"llama.feed_forward_length\" is 4294967295", leavingOut: "llama.feed_forward_length") {
      $0.add("llama.feed_forward_length", UInt32.max)
    }
    try refused("llama.feed_forward_length differs between the layers", leavingOut: "llama.feed_forward_length") {
      $0.add("llama.feed_forward_length", elements: 4, count: 2, little(UInt32(3)) + little(UInt32(4)))
    }
    try refused("2 attention heads cannot share 3 key", leavingOut: "llama.attention.head_count_kv") {
      $0.add("llama.attention.head_count_kv", UInt32(3))
    }
    try refused("llama.rope.dimension_count is 1, and the heads have 2") {
      $0.add("llama.rope.dimension_count", UInt32(1))
    }
    try refused("the heads have 3 dimensions, and need an even number") {
      $0.add("llama.attention.key_length", UInt32(3))
    }
    try refused("\"blk.0.attn_q.weight\" has shape [4, 4], and must have 8 rows for 2 heads of 4") {
      $0.add("llama.attention.key_length", UInt32(4))
    }
    try refused("announces 900 layers and has 11 tensors", leavingOut: "llama.block_count") {
      $0.add("llama.block_count", UInt32(900))
    }
    try refused("\"llama.vocab_size\" is 6 and \"token_embd.weight\" has 5 rows") {
      $0.add("llama.vocab_size", UInt32(6))
    }
    try refused("has no tensor \"token_embd.weight\"", leavingOut: "token_embd")
    try refused("rotary scaling of type \"yarn\" is not supported") { $0.add("llama.rope.scaling.type", "yarn") }
    try refused("the rotary base is -1.0") { $0.add("llama.rope.freq_base", Float(-1)) }
    try refused("the rotary scaling factor is -2.0") { $0.add("llama.rope.scaling.factor", Float(-2)) }
    try refused("\"rope_freqs.weight\" has shape [2] where [1] is needed") {
      $0.addTensor("rope_freqs.weight", [2], offset: 11 * 96)
    }
    try refused("holds 2 tensors the model has no place for: \"blk.00.attn_q.weight\", \"cls.bias\"") {
      $0.addTensor("blk.00.attn_q.weight", [4, 4], offset: 11 * 96)
      $0.addTensor("cls.bias", [4], offset: 12 * 96)
    }
  }

  @Test func `old rotary tables have their name in transformers, by which they are compared`() throws {
    let file = try llama { $0.addTensor("blk.0.attn_rot_embd.weight", [1], offset: 11 * 96) }
    let names = try file.huggingFaceWeights().tensorNames
    #expect(names.count == 12 && names.contains("model.layers.0.self_attn.rotary_emb.inv_freq"))
  }

  // The rules are those of llama.cpp's llama_model_base::load_hparams and llama_context: a factor without a type is linear, a
  // factor of 0 is none, the key of 2023 counts where the new one is missing, and the type "none" stretches nothing.
  @Test(
    arguments: [
      ([:], nil), (["scaling.factor": 4], 4), (["scale_linear": 4], 4), (["scaling.factor": 2, "scale_linear": 4], 2),
      (["scaling.factor": 0], nil), (["scaling.factor": 0.5], 0.5),
    ] as [([String: Float], Double?)])
  func `linear rotary scaling is what llama.cpp takes it for`(keys: [String: Float], factor: Double?) throws {
    for type in [nil, "linear", "none"] {
      let file = try llama { parts in
        for (key, value) in keys { parts.add("llama.rope." + key, value) }
        if let type { parts.add("llama.rope.scaling.type", type) }
      }
      let text = String(decoding: try file.huggingFaceConfiguration(), as: UTF8.self)
      let isScaled = factor != nil && type != "none"
      #expect(text.contains("\"rope_type\": \"linear\"") == isScaled)
      if let factor, isScaled { #expect(text.contains("\"factor\": \(factor),")) }
    }
  }

  @Test func `refuses vocabularies that do not fit together`() throws {
    func refused(_ wanted: String, _ change: (inout GGUFParts) -> Void) throws {
      var parts = GGUFParts.sound
      change(&parts)
      let file = try GGUFFile(heldForever(parts.bytes), name: "a.gguf")
      let found = message { try file.vocabulary() }
      #expect(found?.contains(wanted) == true, "\(wanted): \(found ?? "accepted")")
    }
    let two = text("a") + text("b")
    try refused("a tokenizer of kind \"bert\" is not supported; supported are gpt2") {
      $0.add("tokenizer.ggml.model", "bert")
      $0.add("tokenizer.ggml.tokens", elements: 8, count: 2, two)
    }
    try refused("\"tokenizer.ggml.scores\" has 1 elements for 2 tokens") {
      $0.add("tokenizer.ggml.model", "llama")
      $0.add("tokenizer.ggml.tokens", elements: 8, count: 2, two)
      $0.add("tokenizer.ggml.scores", elements: 6, count: 1, little(Float(1).bitPattern))
    }
    try refused("\"tokenizer.ggml.eos_token_id\" is 2, and there are 2 tokens") {
      $0.add("tokenizer.ggml.model", "gpt2")
      $0.add("tokenizer.ggml.tokens", elements: 8, count: 2, two)
      $0.add("tokenizer.ggml.eos_token_id", UInt32(2))
    }
    try refused("\"tokenizer.ggml.tokens\" is an array of uint8, and must be an array of strings") {
      $0.add("tokenizer.ggml.model", "gpt2")
      $0.add("tokenizer.ggml.tokens", elements: 0, count: 2, [1, 2])
    }
  }
}
