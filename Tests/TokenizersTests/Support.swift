import Foundation
import TestSupport
import Testing
import Tokenizers

/// Texts with the ids, and ids with the text, that the reference gave.
struct Cases: Decodable {
  struct Encoded: Decodable {
    let text: String
    let ids: [Int]
  }
  struct Decoded: Decodable {
    let ids: [Int]
    let text: String
  }
  let encoded: [Encoded]
  let decoded: [Decoded]
}

func goldenValue<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
  try JSONDecoder().decode(type, from: golden(name, in: .module))
}

/// A tokenizer from golden files, by the names it would have in a model folder.
func goldenTokenizer(_ names: [String: String]) throws -> any Tokenizer {
  try loadTokenizer { name in try names[name].map { try golden($0, in: .module) } }
}

/// A tokenizer.json from a golden file with parts replaced.
func changedTokenizer(_ name: String, _ change: (inout [String: Any]) throws -> Void) throws -> any Tokenizer {
  let data = try golden(name, in: .module)
  var root = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
  try change(&root)
  let changed = try JSONSerialization.data(withJSONObject: root)
  return try loadTokenizer { $0 == "tokenizer.json" ? changed : nil }
}

/// Compares every id and every byte.
func expectAgreement(_ tokenizer: any Tokenizer, _ cases: Cases, _ label: String = "") {
  #expect(!cases.encoded.isEmpty && !cases.decoded.isEmpty)
  for item in cases.encoded {
    #expect(tokenizer.encode(item.text) == item.ids, "\(label) \(item.text.debugDescription)")
  }
  for item in cases.decoded {
    let text = tokenizer.decode(item.ids)
    #expect(Array(text.utf8) == Array(item.text.utf8), "\(label) \(item.ids)")
    var decoder = StreamingDecoder(tokenizer: tokenizer)
    var streamed = ""
    for id in item.ids { streamed += decoder.append(id) }
    streamed += decoder.finish()
    #expect(Array(streamed.utf8) == Array(item.text.utf8), "\(label) streaming \(item.ids)")
  }
}

extension TokenizerVocabulary {
  /// The vocabulary of a tokenizer.json with its tokenizer_config.json, for writing GGUF.
  init(tokenizerJSON: Data, configuration: Data?) throws {
    try self.init { name in
      switch name {
      case "tokenizer.json": tokenizerJSON
      case "tokenizer_config.json": configuration
      default: nil
      }
    }
  }
}
