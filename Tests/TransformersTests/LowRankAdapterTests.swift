import Checkpoints
import Foundation
import Kernels
import TestSupport
import Testing
import Transformers

/// Low-rank adapters, held against PEFT's numbers.
@Suite struct LowRankAdapterTests {
  /// Cross-entropy gradients of a plain sequence: of the adapter where there is one.
  private func crossEntropyGradients(_ model: any LanguageModel, _ ids: [Int]) -> FloatBuffer {
    var tree = TokenTree()
    tree.appendChain(ids)
    let activations = model.makeActivations(capacity: tree.count, keepsForBackward: true)
    model.forward(tree, activations: activations)
    let targets = ids.dropFirst().map(Int32.init)
    var loss = HeadLoss(
      targetStarts: Array(0...targets.count) + [targets.count], targetTokens: targets,
      targetWeights: [Float](repeating: 1 / Float(targets.count), count: targets.count))
    let gradients = FloatBuffer(count: model.trainedParameters.count)
    let hiddenGradient = FloatBuffer(count: tree.count * model.hiddenSize, isZeroed: false)
    model.head.evaluate(
      &loss, hidden: activations.hidden.pointer,
      gradients: HeadGradients(
        hidden: hiddenGradient.pointer, weight: model.adapter == nil ? gradients.pointer + model.headOffset : nil))
    model.backward(tree, activations: activations, hiddenGradient: hiddenGradient, gradients: gradients)
    return gradients
  }

  private func adapted(_ architecture: Architecture) throws -> (model: any LanguageModel, expected: GoldenTensors) {
    let source = ModelSource.folder(
      Bundle.module.bundleURL.appending(path: "Goldens").appending(path: "lora-\(architecture)"))
    #expect(try AdapterCheckpoint.baseModel(source) == "\(architecture)-policy")
    return (
      try AdapterCheckpoint.load(source, onto: architecture.model("policy")),
      try GoldenTensors("lora-\(architecture).safetensors")
    )
  }

  private func sequence(_ expected: GoldenTensors) throws -> [Int] {
    let facts = try expected.values("ids.float")
    return facts.map { Int($0) }
  }

  @Test(arguments: Architecture.allCases)
  func `log-probabilities equal PEFT's, merged and apart`(architecture: Architecture) throws {
    let (model, expected) = try adapted(architecture)
    let ids = try sequence(expected)
    let wanted = try expected.values("log_probabilities")
    for (label, model) in [("apart", model), ("merged", model.merged()), ("copied", model.copy())] {
      let comparison = Comparison(model.logProbabilities(ids), wanted)
      #expect(comparison.matches(absolute: 5e-5), "\(label): \(comparison)")
    }
    let bare = Comparison(model.withoutAdapter().logProbabilities(ids), wanted)
    #expect(!bare.matches(absolute: 1e-2), "the adapter changes nothing")
  }

  @Test(arguments: Architecture.allCases)
  func `gradients of A and B equal PEFT's`(architecture: Architecture) throws {
    let (model, expected) = try adapted(architecture)
    let adapter = try #require(model.adapter)
    let gradients = crossEntropyGradients(model, try sequence(expected))
    #expect(expected.file.tensorNames.count { $0.contains("lora_") } == adapter.layout.parameters.count)
    for parameter in adapter.layout.parameters {
      let comparison = Comparison(
        Array(gradients.elements[parameter.range]), try expected.values(parameter.name, of: parameter))
      #expect(comparison.matches(relative: 1e-5), "\(parameter.name): \(comparison)")
    }
  }

  @Test(arguments: Architecture.allCases)
  func `a new adapter changes nothing, and shares the model's memory`(architecture: Architecture) throws {
    let model = try architecture.model("policy")
    let adapted = try model.adapted(LowRankSettings(rank: 3), seed: 1)
    let ids = try architecture.facts().sequences[1]
    #expect(adapted.logProbabilities(ids) == model.logProbabilities(ids))
    #expect(adapted.parameters === model.parameters)
    #expect(adapted.withoutAdapter().parameters === model.parameters)
    #expect(adapted.trainedParameters.count == adapted.adapter?.layout.count)
    let gradients = crossEntropyGradients(adapted, ids)
    #expect(gradients.array.contains { $0 != 0 })
  }

  @Test(arguments: Architecture.allCases)
  func `an adapter is saved and loaded with the same bits`(architecture: Architecture) throws {
    let (model, _) = try adapted(architecture)
    let adapter = try #require(model.adapter)
    func check(in folder: URL) throws {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try AdapterCheckpoint.save(adapter, of: model, baseModel: "somewhere", to: folder)
      #expect(try AdapterCheckpoint.baseModel(.folder(folder)) == "somewhere")
      let again = try AdapterCheckpoint.load(.folder(folder), onto: architecture.model("policy"))
      #expect(again.adapter?.settings == adapter.settings)
      #expect(again.adapter?.parameters.array == adapter.parameters.array)
    }
    // For `Scripts/goldens/lora.py --verify`.
    if let folder = ProcessInfo.processInfo.environment["VERIFY_FOLDER"] {
      try check(in: URL(filePath: folder).appending(path: "lora-\(architecture)"))
    } else {
      try withTemporaryFolder { try check(in: $0) }
    }
  }

  @Test(arguments: [
    (LowRankSettings(rank: 0), "a rank of 0 makes no adapter of this model; give 1 to 16"),
    (LowRankSettings(rank: 17), "a rank of 17 makes no adapter of this model; give 1 to 16"),
    (LowRankSettings(rank: 2, alpha: 0), "an alpha of 0.0 makes no adapter; give a finite number above 0"),
    (
      LowRankSettings(rank: 2, targets: ["c_attn"]),
      "the model has no matrix called 'c_attn'; it has q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"
    ),
  ])
  func `settings that make no adapter are refused by name`(settings: LowRankSettings, message: String) throws {
    let model = try Architecture.llama.model("policy")
    let error = #expect(throws: LowRankError.self) { try model.adapted(settings, seed: 1) }
    #expect(error?.description == message)
  }
}
