import Foundation
import TestSupport
import Testing

extension CommandTests {
  /// What the files of an embedding model put before texts, and how much of an embedding they keep.
  @Suite struct EmbeddingPromptTests {
    private struct Line: Decodable { var embedding: [Double] }

    /// A folder that holds the reward model's files, by links, and more.
    private func makeModel(_ name: String, _ more: [String: String], in folder: URL) throws {
      let environment = ProcessInfo.processInfo.environment
      let cache = environment["TINYALIGN_CACHE"] ?? (environment["HOME"] ?? "") + "/.cache/tinyalign"
      let source = environment["TINYALIGN_REWARD_MODEL"] ?? cache + "/models/all-MiniLM-L6-v2"
      let model = folder.appending(path: name)
      try FileManager.default.createDirectory(at: model, withIntermediateDirectories: true)
      for file in try FileManager.default.contentsOfDirectory(atPath: source) where more[file] == nil {
        try FileManager.default.createSymbolicLink(
          at: model.appending(path: file), withDestinationURL: URL(filePath: source).appending(path: file))
      }
      for (file, content) in more { try Data(content.utf8).write(to: model.appending(path: file)) }
    }

    private func embeddings(_ model: String, _ texts: String..., folder: URL) throws -> [[Double]] {
      let lines = output(of: try tinyalign(["embed", "--model", model, "--json"] + texts, in: folder))
      return try lines.split(separator: "\n").map {
        try JSONDecoder().decode(Line.self, from: Data($0.utf8)).embedding
      }
    }

    @Test func `the default prompt stands before texts, and truncate_dim shortens embeddings`() throws {
      try withTemporaryFolder { folder in
        let file = "config_sentence_transformers.json"
        try makeModel("plain", [file: #"{"prompts": {"query": "find: "}, "default_prompt_name": null}"#], in: folder)
        try makeModel(
          "prompted", [file: #"{"prompts": {"query": "find: ", "d": null}, "default_prompt_name": "query"}"#],
          in: folder)
        try makeModel("short", [file: #"{"truncate_dim": 10}"#], in: folder)
        try makeModel("wrong", [file: #"{"prompts": {"a": "b"}, "default_prompt_name": "query"}"#], in: folder)
        let plain = try embeddings("plain", "find: a cat", "a cat", folder: folder)
        #expect(plain[0] != plain[1] && plain[0].count == 384)
        #expect(try embeddings("prompted", "a cat", folder: folder)[0] == plain[0])
        #expect(try embeddings("short", "a cat", folder: folder)[0] == Array(plain[1].prefix(10)))
        expectRefusal(
          try tinyalign("embed", "--model", "wrong", "a", in: folder), status: 1,
          saying: "default_prompt_name is \"query\", and prompts has no such name")
      }
    }

    @Test func `do_lower_case of the tokenizer's configuration overrides tokenizer.json`() throws {
      try withTemporaryFolder { folder in
        let settings = #"{"tokenizer_class": "BertTokenizer", "do_lower_case": false, "model_max_length": 512}"#
        try makeModel("cased", ["tokenizer_config.json": settings], in: folder)
        let ids = output(of: try tinyalign("tokenize", "--model", "cased", "--json", "CAT cat", in: folder))
        // [UNK], since the vocabulary is of lower case, and "cat".
        #expect(ids.hasPrefix(#"{"token_ids":[101,100,4937,102]"#))
      }
    }
  }
}
