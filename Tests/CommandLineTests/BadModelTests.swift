import Foundation
import TestSupport
import Testing

/// A way to spoil a model folder, and what the message must then hold.
private struct Damage: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var message: String
  var spoil: @Sendable (URL) throws -> Void

  init(_ description: String, message: String, spoil: @escaping @Sendable (URL) throws -> Void) {
    testDescription = description
    self.message = message
    self.spoil = spoil
  }

  /// Replaces text in config.json, which must be there.
  static func configuration(_ key: String, from old: String, to new: String, message: String) -> Damage {
    Damage("\(key) \(new)", message: message) { model in
      let file = model.appending(path: "config.json")
      var text = try text(file)
      let range = try #require(text.range(of: #""\#(key)"\s*:\s*\#(old)"#, options: .regularExpression))
      text.replaceSubrange(range, with: "\"\(key)\": \(new)")
      try text.write(to: file, atomically: true, encoding: .utf8)
    }
  }

  /// Changes the bytes of the weights.
  static func weights(_ description: String, message: String, change: @escaping @Sendable (inout Data) -> Void)
    -> Damage
  {
    Damage(description, message: message) { model in
      let file = model.appending(path: "model.safetensors")
      var bytes = try Data(contentsOf: file)
      change(&bytes)
      try bytes.write(to: file)
    }
  }

  static func without(_ name: String, message: String) -> Damage {
    Damage("no \(name)", message: message) { try FileManager.default.removeItem(at: $0.appending(path: name)) }
  }

  static func with(_ name: String, holding content: String, message: String) -> Damage {
    Damage("\(name) is \(content)", message: message) {
      try content.write(to: $0.appending(path: name), atomically: true, encoding: .utf8)
    }
  }
}

private let damages: [Damage] = [
  .without("config.json", message: "broken/config.json is missing"),
  .without("model.safetensors", message: "broken/model.safetensors is missing"),
  .without("tokenizer.json", message: "broken"),
  .with("config.json", holding: "{", message: "broken/config.json is damaged"),
  .with("config.json", holding: "{}", message: "names no model_type"),
  .with("tokenizer.json", holding: "{", message: "tokenizer.json is not valid JSON"),
  .configuration("model_type", from: "\"gpt_neo\"", to: "\"mamba\"", message: "model_type 'mamba' is not supported"),
  .configuration("hidden_size", from: "16", to: "32", message: "has shape"),
  .configuration("vocab_size", from: "[0-9]+", to: "100", message: "has shape"),
  .configuration("num_heads", from: "2", to: "3", message: "num_heads"),
  .configuration("num_heads", from: "2", to: "0", message: "num_heads"),
  .weights("cut in half", message: "broken/model.safetensors is cut short") { $0 = $0.prefix($0.count / 2) },
  .weights("empty", message: "broken/model.safetensors is cut short") { $0 = Data() },
  .weights("a header of 2^64 - 1 bytes", message: "broken/model.safetensors") { bytes in
    for index in 0..<8 { bytes[index] = 0xFF }
  },
  // The last tensor's last number: 0x7FC00000 little-endian.
  .weights("NaN", message: "is not a finite number") {
    $0.replaceSubrange(($0.count - 4)..., with: [0, 0, 0xC0, 0x7F])
  },
  .weights("infinity", message: "is not a finite number") {
    $0.replaceSubrange(($0.count - 4)..., with: [0, 0, 0x80, 0x7F])
  },
]

extension CommandTests {
  @Suite struct BadModelTests {
    @Test(arguments: damages)
    private func `a damaged model is refused by every command that loads it`(damage: Damage) throws {
      try withTemporaryFolder { folder in
        try makeTinyModel(in: folder)
        let model = folder.appending(path: "broken")
        try FileManager.default.moveItem(at: folder.appending(path: "model"), to: model)
        try damage.spoil(model)
        let before = try names(in: folder)
        for arguments in [
          ["align", "--model", "broken", "--steps", "1", "--samples", "4", "--out", "run"],
          ["align", "--reference", "broken", "--steps", "1", "--samples", "4", "--out", "run"],
          ["sample", "--model", "broken", "--max-new-tokens", "4", "--json"],
          ["score", "--model", "broken", "the cat"],
        ] {
          let result = try CommandRunner(product: "tinyalign").run(arguments, in: folder)
          expectRefusal(result, status: 1, saying: damage.message)
          #expect(result.errors.contains("broken"), "which of the models: \(result.errors)")
        }
        #expect(try names(in: folder) == before)
      }
    }

    @Test func `models that do not fit together are refused`() throws {
      try withTemporaryFolder { folder in
        try makeTinyModel(in: folder)
        let other = try tinyalign(
          "align", "--reference", "model", "--steps", "1", "--samples", "4", "--out", "run", in: folder)
        expectRefusal(other, status: 2, saying: "--reference")
        let reward = try tinyalign("reward", "--model", "model", "cat", in: folder)
        expectRefusal(reward, status: 1, saying: "model_type 'gpt_neo'")
        let language = try tinyalign("align", "--reward-model", "model", "--out", "run", in: folder)
        expectRefusal(language, status: 1, saying: "model_type 'gpt_neo'")
        #expect(!(try names(in: folder).contains("run")))
      }
    }

    @Test func `tokenize needs no weights`() throws {
      try withTemporaryFolder { folder in
        try makeTinyModel(in: folder)
        try FileManager.default.removeItem(at: folder.appending(path: "model/model.safetensors"))
        #expect(!output(of: try tinyalign("tokenize", "--model", "model", "the cat", in: folder)).isEmpty)
      }
    }
  }
}
