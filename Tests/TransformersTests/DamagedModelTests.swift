import Checkpoints
import Foundation
import Kernels
import TestSupport
import Testing
import Transformers

/// Damage that every architecture can have: files that are no configuration, and tensors that do not fit it.
@Suite struct DamagedModelTests {
  /// A tensor of a golden file.
  private struct Tensor {
    var name: String
    var shape: [Int]
    var values: FloatBuffer
  }

  /// Calls `body` with the tied model with its tensors changed.
  private func withTensors(
    _ architecture: Architecture, _ change: (inout [Tensor]) throws -> Void, _ body: (URL) throws -> Void
  ) throws {
    let source = architecture.source("tied")
    let file = try source.weights()
    var tensors = try file.tensorNames.map { name in
      let shape = try #require(file.shape(of: name))
      let values = FloatBuffer(count: shape.reduce(1, *))
      try file.copyFloats(of: name, into: values.elements)
      return Tensor(name: name, shape: shape, values: values)
    }
    try change(&tensors)
    try withTemporaryFolder { folder in
      let path = folder.appending(path: "model.safetensors")
      // An array may be freed after its last use, and the buffers with it.
      try withExtendedLifetime(tensors) {
        try writeSafetensors(
          tensors.map {
            TensorToWrite(name: $0.name, shape: $0.shape, values: UnsafeBufferPointer($0.values.elements))
          }, elementType: .float32, to: path)
      }
      try #require(try source.file("config.json")).data.write(to: folder.appending(path: "config.json"))
      try body(folder)
    }
  }

  @Test(arguments: Architecture.allCases)
  func `each missing tensor is named`(architecture: Architecture) throws {
    let names = try architecture.model("tied").layout.parameters.map(\.name)
    for name in names {
      try withTensors(architecture) {
        $0.removeAll { $0.name == name }
      } _: { folder in
        let file = folder.appending(path: "model.safetensors").path
        #expect(throws: CheckpointError.missingTensor(name: name, file: file)) {
          try loadLanguageModel(.folder(folder))
        }
      }
    }
  }

  @Test(arguments: Architecture.allCases)
  func `unknown tensors are named`(architecture: Architecture) throws {
    let last = try #require(try architecture.model("tied").layout.parameters.last).name
    for name in ["extra", last + "s", "model.layers.1.mlp.up_proj.weight", "transformer.h.3.attn.c_attn.weight"] {
      try withTensors(architecture) {
        #expect(!$0.contains { $0.name == name })
        $0.append(Tensor(name: name, shape: [2], values: FloatBuffer(count: 2)))
      } _: { folder in
        let file = folder.appending(path: "model.safetensors").path
        #expect(throws: CheckpointError.unexpectedTensors(names: [name], file: file)) {
          try loadLanguageModel(.folder(folder))
        }
      }
    }
  }

  @Test(arguments: Architecture.allCases)
  func `each tensor of another shape is named, with both shapes`(architecture: Architecture) throws {
    for parameter in try architecture.model("tied").layout.parameters {
      let size = parameter.shape.reduce(1, *)
      // Transposed (which a square matrix would not show), flat, and with one row more.
      let longer = [parameter.shape[0] + 1] + parameter.shape.dropFirst()
      let shapes = [Array(parameter.shape.reversed()), [1, size], [size, 1, 1], longer]
      for shape in shapes where shape != parameter.shape {
        try withTensors(architecture) {
          let index = try #require($0.firstIndex { $0.name == parameter.name })
          $0[index].shape = shape
          $0[index].values = FloatBuffer(count: shape.reduce(1, *))
        } _: { folder in
          let expected = CheckpointError.shapeMismatch(
            tensor: parameter.name, expected: parameter.shape, found: shape,
            file: folder.appending(path: "model.safetensors").path)
          #expect(throws: expected) { try loadLanguageModel(.folder(folder)) }
        }
      }
    }
  }

  @Test(
    arguments: Architecture.allCases,
    ["", "{", "[]", "null", "7", "{\"model_type\": \"gpt_neo\", \"vocab_size\": 11", "\u{0}\u{1}"])
  func `what is not a JSON object is refused in one line`(architecture: Architecture, text: String) throws {
    try expectError(architecture.source("tied"), configuration: Data(text.utf8), "config.json")
  }

  @Test(arguments: ["mistral", "mixtral", "qwen2", "gemma", "gpt_neox", "gptj", "LLAMA", ""])
  func `other architectures are refused by name, with those that are supported`(type: String) throws {
    for architecture in Architecture.allCases {
      let source = architecture.source("tied")
      let changed = try configuration(of: source, ["model_type": "\"\(type)\"", "sliding_window": "4096"])
      try expectError(source, configuration: changed, "'\(type)' is not supported")
      for supported in ["gpt_neo", "gpt2", "llama"] { try expectError(source, configuration: changed, supported) }
    }
  }
}
