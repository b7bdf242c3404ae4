import Foundation
import TestSupport
import Testing
import Tokenizers

/// Tokenizers whose files say more than tokenizer.json, against transformers; see Scripts/goldens/tokenizer_files.py.
struct TokenizerFilesTests {
  private struct Case {
    var name: String
    var files: [String: Data]
    var ids: [[Int]]
    var decoded: [String]
  }

  private func json(_ object: Any) throws -> Data {
    try JSONSerialization.data(withJSONObject: object, options: .fragmentsAllowed)
  }

  private func cases() throws -> (texts: [String], cases: [Case]) {
    let data = try golden("tokenizer-files.json", in: .module)
    let root = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    let tokenizers = try #require(root["tokenizers"] as? [String: [String: Any]])
    let cases = try #require(root["cases"] as? [[String: Any]])
    return (
      try #require(root["texts"] as? [String]),
      try cases.map { item in
        let name = try #require(item["tokenizer"] as? String)
        var tokenizer = try #require(tokenizers[name])
        for (key, value) in try #require(item["changes"] as? [String: Any]) { tokenizer[key] = value }
        var files: [String: Data] = [:]
        for (name, content) in try #require(item["files"] as? [String: Any]) { files[name] = try json(content) }
        let model = try #require(tokenizer["model"] as? [String: Any])
        let vocabulary = try #require(model["vocab"] as? [String: Int])
        if item["old"] as? Bool == false {
          files["tokenizer.json"] = try json(tokenizer)
        } else if let merges = model["merges"] as? [String] {
          files["vocab.json"] = try json(vocabulary)
          files["merges.txt"] = Data((["#version: 0.2"] + merges).joined(separator: "\n").utf8)
        } else {
          files["vocab.txt"] = Data(
            vocabulary.sorted { $0.value < $1.value }.map { $0.key + "\n" }.joined().utf8)
        }
        return Case(
          name: "\(name) \(try #require(item["files"]))", files: files, ids: try #require(item["ids"] as? [[Int]]),
          decoded: try #require(item["decoded"] as? [String]))
      }
    )
  }

  @Test func `files beside tokenizer.json are heeded as transformers does`() throws {
    let (texts, cases) = try cases()
    #expect(cases.count > 45)
    for item in cases {
      let tokenizer = try loadTokenizer { item.files[$0] }
      for (index, text) in texts.enumerated() {
        #expect(tokenizer.encode(text) == item.ids[index], "\(item.name): \(text)")
        #expect(tokenizer.decode(item.ids[index]) == item.decoded[index], "\(item.name): \(item.ids[index])")
        let bare = tokenizer.encode(text, addingSpecialTokens: false)
        #expect(tokenizer.encode(beginning: text) == tokenizer.idsBeforeText + bare, "\(item.name): \(text)")
      }
    }
  }

  /// A byte-level tokenizer of the letters a to d with more files.
  private func load(_ more: [String: String]) throws -> any Tokenizer {
    let files = ["vocab.json": #"{"a": 0, "b": 1, "c": 2, "d": 3}"#, "merges.txt": ""].merging(more) { $1 }
    return try loadTokenizer { files[$0].map { Data($0.utf8) } }
  }

  private func message(_ files: [String: String]) -> String {
    do {
      _ = try load(files)
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test func `what cannot be heeded is refused by name`() throws {
    #expect(
      message(["added_tokens.json": #"{"<x>": 9}"#]).contains(
        "\"<x>\" has the id 9, but its place in the vocabulary is 4"))
    #expect(message(["added_tokens.json": #"{"<x>": "4"}"#]).contains("added_tokens.json"))
    #expect(message(["added_tokens.json": "[1]"]).contains("added_tokens.json"))
    #expect(message(["added_tokens.json": #"{"<x>": -1}"#]).contains("the id of \"<x>\""))
    let wrong = #"{"added_tokens_decoder": {"x": {"content": "<x>"}}}"#
    #expect(message(["tokenizer_config.json": wrong]).contains("\"x\", which is no id"))
    #expect(message(["tokenizer_config.json": #"{"eos_token": 3}"#]).contains("eos_token must be a token"))
    #expect(message(["tokenizer_config.json": #"{"split_special_tokens": true}"#]).contains("split_special_tokens"))
    #expect(message(["special_tokens_map.json": #"{"eos_token": {"lstrip": true}}"#]).contains("eos_token.content"))
    #expect(message(["tokenizer_config.json": #"{"extra_special_tokens": "x"}"#]).contains("must be a list of tokens"))
    let tokenizer = try load(["added_tokens.json": #"{"<x>": 4, "b": 1}"#])
    #expect(tokenizer.encode("ab<x>c") == [0, 1, 4, 2] && tokenizer.vocabularySize == 5)
  }
}
