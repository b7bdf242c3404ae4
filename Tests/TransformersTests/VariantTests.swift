import Checkpoints
import Kernels
import TestSupport
import Testing
import Transformers

/// What an architecture may have or not have, each in a tiny model of its own.
@Suite struct VariantTests {
  static let variants: [(architecture: Architecture, name: String)] =
    ["tied", "untied", "bias", "head-size", "linear", "llama3"].map { (.llama, $0) }
    + ["tied", "untied"].map { (.gpt2, $0) }

  @Test(arguments: variants)
  func `log-probabilities and gradients equal transformers'`(architecture: Architecture, name: String) throws {
    let sequence = try architecture.facts().variantSequence
    let model = try architecture.model(name)
    let expected = try architecture.tensors(name)
    let comparison = Comparison(model.logProbabilities(sequence), try expected.values("log-probabilities"))
    #expect(comparison.matches(absolute: 2e-5), "\(comparison)")

    var tree = TokenTree()
    tree.appendChain(sequence)
    let activations = model.makeActivations(capacity: tree.count, keepsForBackward: true)
    model.forward(tree, activations: activations)
    var loss = crossEntropy([sequence])
    let gradients = lossGradients(of: &loss, tree, model, activations)
    #expect(expected.file.tensorNames.count == model.layout.parameters.count + 1)
    try expectTensors(gradients, of: model) { try expected.values("gradient." + $0.name, of: $0) }
  }

  @Test func `the variants are what their names say`() throws {
    func names(_ architecture: Architecture, _ name: String) throws -> Set<String> {
      Set(try architecture.model(name).layout.parameters.map(\.name))
    }
    for architecture in [Architecture.llama, .gpt2] {
      #expect(try names(architecture, "untied") == names(architecture, "tied").union(["lm_head.weight"]))
    }
    let biases = try names(.llama, "bias").subtracting(try names(.llama, "tied"))
    let modules =
      ["q_proj", "k_proj", "v_proj", "o_proj"].map { "self_attn." + $0 }
      + ["gate_proj", "up_proj", "down_proj"].map { "mlp." + $0 }
    #expect(biases == Set(modules.map { "model.layers.0.\($0).bias" }))
  }

  @Test(arguments: ["linear", "llama3"])
  func `scaling matters within the sequence`(name: String) throws {
    let sequence = try Architecture.llama.facts().variantSequence
    let source = Architecture.llama.source(name)
    let scaled = try loadLanguageModel(source).logProbabilities(sequence)
    let plain = try configuration(
      of: source, ["rope_parameters": "{\"rope_type\": \"default\", \"rope_theta\": 100.0}"])
    try withModel(source, configuration: plain) { source in
      let unscaled = try loadLanguageModel(source).logProbabilities(sequence)
      #expect(!Comparison(scaled, unscaled).matches(absolute: 1e-2))
    }
  }
}
