import Checkpoints
import Foundation
import Kernels
import TestSupport
import Testing
import Transformers

/// What is sound and not supported is named, and not called damaged; what only looks so is read.
@Suite struct UnsupportedModelTests {
  private func expectUnsupported(_ saying: String, _ body: () throws -> Void) {
    let error = #expect(throws: CheckpointError.self) { try body() }
    let text = error?.description ?? ""
    #expect(text.contains(saying) && !text.contains("damaged") && !text.contains("belongs to these weights"), "\(text)")
  }

  @Test(arguments: [
    (Architecture.llama, "hidden_act", "\"gelu\"", "activation 'gelu' is not supported"),
    (.llama, "rope_scaling", #"{"rope_type": "yarn", "factor": 2}"#, "rotary scaling 'yarn' is not supported"),
    (.neo, "activation_function", "\"gelu\"", "activation 'gelu' is not supported"),
    (.gpt2, "activation_function", "\"relu\"", "activation 'relu' is not supported"),
    (.gpt2, "scale_attn_by_inverse_layer_idx", "true", "scale_attn_by_inverse_layer_idx true is not supported"),
    (.llama, "quantization_config", #"{"quant_method": "bitsandbytes"}"#, "the weights are quantized by bitsandbytes"),
    (.gpt2, "quantization_config", #"{"quant_method": "gptq"}"#, "the weights are quantized by gptq"),
  ])
  func `a setting that is not supported`(architecture: Architecture, key: String, value: String, message: String) throws
  {
    let source = architecture.source("tied")
    try withModel(source, configuration: configuration(of: source, [key: value])) { source in
      expectUnsupported(message) { _ = try loadLanguageModel(source) }
    }
  }

  @Test(arguments: [
    (Architecture.llama, "hidden_act", "swish"), (.gpt2, "activation_function", "gelu_fast"),
    (.neo, "activation_function", "gelu_pytorch_tanh"),
  ])
  func `other names of an activation`(architecture: Architecture, key: String, name: String) throws {
    let source = architecture.source("tied")
    try withModel(source, configuration: configuration(of: source, [key: "\"\(name)\""])) { changed in
      let (found, wanted) = (try loadLanguageModel(changed), try loadLanguageModel(source))
      #expect(found.parameters.array == wanted.parameters.array)
    }
  }

  @Test func `a BERT with a masked language model's head and the names of 2018`() throws {
    let golden = try BERTGolden.load()
    try withChangedBERT(prefix: "bert.", extra: ["cls.predictions.bias", "cls.seq_relationship.bias"]) { name in
      name.replacing("LayerNorm.weight", with: "LayerNorm.gamma").replacing("LayerNorm.bias", with: "LayerNorm.beta")
    } _: { source in
      let hidden = try BERTEncoder(source: source).hiddenStates(golden.texts)
      for (actual, expected) in zip(hidden, golden.hidden) {
        #expect(Comparison(actual, expected).matches(absolute: 1e-5))
      }
    }
    try withChangedBERT(prefix: "bert.", extra: ["classifier.weight"]) { source in
      expectUnsupported("this is a BERT that classifies (classifier.weight)") { _ = try BERTEncoder(source: source) }
    }
  }
}

/// Folders of adapters that PEFT writes.
@Suite struct AdapterFolderTests {
  private let golden = Bundle.module.bundleURL.appending(path: "Goldens").appending(path: "lora-llama")

  /// Loads the golden adapter with other settings onto its model.
  private func load(_ changes: [String: Any]) throws -> any LanguageModel {
    try withTemporaryFolder { folder in
      let file = AdapterCheckpoint.configurationFile
      let data = try Data(contentsOf: golden.appending(path: file))
      var keys = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
      for (key, value) in changes { keys[key] = value is NSNull ? nil : value }
      try JSONSerialization.data(withJSONObject: keys).write(to: folder.appending(path: file))
      try FileManager.default.copyItem(
        at: golden.appending(path: AdapterCheckpoint.weightsFile),
        to: folder.appending(path: AdapterCheckpoint.weightsFile))
      return try AdapterCheckpoint.load(.folder(folder), onto: Architecture.llama.model("policy"))
    }
  }

  private func expectRefused(_ changes: [String: Any], saying: String) {
    let error = #expect(throws: CheckpointError.self) { _ = try load(changes) }
    let text = error?.description ?? ""
    #expect(text.contains(saying) && text.contains("merge") && !text.contains("damaged"), "\(text)")
  }

  @Test(arguments: ["pissa", "pissa_niter_16", "olora", "corda", "loftq", "lora_ga", "new"])
  func `a start that changed the model's own weights is refused`(start: String) {
    expectRefused(
      ["init_lora_weights": start], saying: "init_lora_weights \(start), which changed the model's own weights")
  }

  @Test func `kinds of adapters that do something else are refused`() {
    expectRefused(["peft_type": "IA3", "r": NSNull(), "lora_alpha": NSNull()], saying: "type IA3 is not supported")
    expectRefused(["use_dora": true], saying: "it uses DoRA")
    expectRefused(["rank_pattern": ["q_proj": 2]], saying: "different ranks")
    expectRefused(["lora_bias": true], saying: "it trains biases")
    expectRefused(["alora_invocation_tokens": [1, 2]], saying: "aLoRA")
  }

  @Test func `which matrices are adapted is what the file holds`() throws {
    let wanted = try load([:]).merged().parameters.array
    for targets in [".*_proj", "all-linear", NSNull()] as [Any] {
      #expect(
        try load(["target_modules": targets, "rank_pattern": [String: Int]()]).merged().parameters.array == wanted)
    }
    for start in [true, false, "gaussian", "eva"] as [Any] {
      #expect(try load(["init_lora_weights": start]).merged().parameters.array == wanted)
    }
  }

  @Test(arguments: Architecture.allCases)
  func `two adapters one after the other are one`(architecture: Architecture) throws {
    let folder = Bundle.module.bundleURL.appending(path: "Goldens").appending(path: "lora-\(architecture)")
    let first = try AdapterCheckpoint.load(.folder(folder), onto: architecture.model("policy"))
    let second = try first.merged().adapted(LowRankSettings(rank: 3, alpha: 5), seed: 2)
    let adapter = try #require(second.adapter)
    for index in 0..<adapter.parameters.count { adapter.parameters.pointer[index] += 0.01 * Float(index % 7) }
    let joined = adapter.joined(after: try #require(first.adapter))
    try withTemporaryFolder { folder in
      try AdapterCheckpoint.save(joined, of: second, baseModel: "policy", to: folder)
      let loaded = try AdapterCheckpoint.load(.folder(folder), onto: architecture.model("policy"))
      let comparison = Comparison(loaded.merged().parameters.array, second.merged().parameters.array)
      #expect(comparison.matches(absolute: 1e-5), "\(comparison)")
    }
  }
}
