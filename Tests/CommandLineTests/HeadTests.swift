import Foundation
import TestSupport
import Testing

/// What transformers makes of the models in `Goldens/heads`, written by `Scripts/goldens/heads.py`.
private let expected = Result {
  try JSONDecoder().decode([String: [Double]].self, from: golden("heads/heads.json", in: .module))
}

extension CommandTests {
  /// The head is what the file holds, whatever the configuration says, and stays so in whatever is written.
  @Suite struct HeadTests {
    /// Copies a model of the goldens to `folder`/model, with other lines in its config.json.
    private func copy(_ name: String, to folder: URL, changing change: (inout [String: Any]) -> Void = { _ in }) throws
    {
      let model = folder.appending(path: "model")
      try FileManager.default.createDirectory(at: model, withIntermediateDirectories: true)
      for file in ["model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        try golden("heads/\(name)/\(file)", in: .module).write(to: model.appending(path: file))
      }
      let data = try golden("heads/\(name)/config.json", in: .module)
      var configuration = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
      change(&configuration)
      try JSONSerialization.data(withJSONObject: configuration).write(to: model.appending(path: "config.json"))
    }

    private func expectScores(
      _ path: String, of name: String, in folder: URL, tolerance: Double = 1e-5,
      location: SourceLocation = #_sourceLocation
    ) throws {
      let text = output(of: try tinyalign("score", "--json", "--model", path, "abcdea", in: folder), location: location)
      let line = try #require(try jsonLines(ScoreLine.self, keys: ScoreLine.keys, of: text).first)
      let wanted = try #require(try expected.get()[name])
      let found = line.logProbabilities.dropFirst().map { $0 ?? .nan }
      #expect(found.count == wanted.count, sourceLocation: location)
      for (found, wanted) in zip(found, wanted) {
        #expect(abs(found - wanted) <= tolerance, "\(path): \(found), not \(wanted)", sourceLocation: location)
      }
    }

    private func isTied(_ model: URL) throws -> Bool? {
      let data = try Data(contentsOf: model.appending(path: "config.json"))
      return try (JSONSerialization.jsonObject(with: data) as? [String: Any])?["tie_word_embeddings"] as? Bool
    }

    @Test(arguments: ["gpt_neo", "gpt2", "llama"], [true, false, nil])
    func `a head of its own is used and saved`(kind: String, isTied setting: Bool?) throws {
      let name = "\(kind)-own-head"
      try withTemporaryFolder { folder in
        try copy(name, to: folder) { $0["tie_word_embeddings"] = setting }
        try expectScores("model", of: name, in: folder)
        _ = output(of: try tinyalign("convert", "--model", "model", "--out", "folder", in: folder))
        try expectScores("folder", of: name, in: folder)
        #expect(try isTied(folder.appending(path: "folder")) == false)
        guard kind != "gpt_neo" else { return }
        _ = output(of: try tinyalign("convert", "--model", "model", "--out", "a.gguf", "--type", "F32", in: folder))
        try expectScores("a.gguf", of: name, in: folder)
        _ = output(of: try tinyalign("convert", "--model", "a.gguf", "--out", "again", in: folder))
        try expectScores("again", of: name, in: folder)
      }
    }

    @Test func `a configuration that the weights contradict is told`() throws {
      try withTemporaryFolder { folder in
        try copy("llama-own-head", to: folder)
        let contradicted = try tinyalign("score", "--model", "model", "abc", in: folder)
        #expect(contradicted.errors.contains("hold a head of their own: that one is used"), "\(contradicted.errors)")
        try copy("llama-own-head", to: folder) { $0["tie_word_embeddings"] = false }
        #expect(try tinyalign("score", "--model", "model", "abc", in: folder).errors.isEmpty)
      }
    }

    @Test(arguments: ["gpt_neo", "gpt2", "llama"])
    func `a tied head may be the only one of the two that is saved`(kind: String) throws {
      let name = "\(kind)-head-only"
      try withTemporaryFolder { folder in
        try copy(name, to: folder)
        try expectScores("model", of: name, in: folder)
        _ = output(of: try tinyalign("convert", "--model", "model", "--out", "folder", in: folder))
        try expectScores("folder", of: name, in: folder)
        #expect(try isTied(folder.appending(path: "folder")) == true)
        // Two that are not tied need both.
        try copy(name, to: folder) { $0["tie_word_embeddings"] = false }
        expectRefusal(try tinyalign("score", "--model", "model", "abc", in: folder), status: 1, saying: "has no tensor")
      }
    }

    @Test func `a checkpoint of training keeps the head`() throws {
      try withTemporaryFolder { folder in
        try copy("llama-own-head", to: folder)
        let run = try tinyalign(
          "align", "--model", "model", "--prompt", "a", "--steps", "1", "--samples", "2", "--max-new-tokens", "2",
          "--learning-rate", "1e-9", "--out", "run", in: folder)
        #expect(run.status == 0, "\(run.errors)")
        let checkpoints = folder.appending(path: "run/checkpoints")
        let checkpoint = try #require(try names(in: checkpoints).last)
        try expectScores("run/checkpoints/\(checkpoint)", of: "llama-own-head", in: folder)
        #expect(try isTied(checkpoints.appending(path: checkpoint)) == false)
      }
    }

    @Test func `a GGUF file that does not say how texts are split is used with a note`() throws {
      try withTemporaryFolder { folder in
        try copy("gpt2-own-head", to: folder)
        _ = output(of: try tinyalign("convert", "--model", "model", "--out", "a.gguf", "--type", "F32", in: folder))
        let file = folder.appending(path: "a.gguf")
        var bytes = try Data(contentsOf: file)
        let key = try #require(bytes.range(of: Data("tokenizer.ggml.pre".utf8)))
        bytes.replaceSubrange(key, with: Data("tokenizer.ggml.xyz".utf8))
        #expect(try tinyalign("score", "--model", "a.gguf", "abc", in: folder).errors.isEmpty)
        try bytes.write(to: file)
        let result = try tinyalign("score", "--model", "a.gguf", "abc", in: folder)
        #expect(result.status == 0 && result.errorLines.count == 1)
        #expect(result.errors.contains("does not say how texts are split into words (tokenizer.ggml.pre)"))
      }
    }

    @Test(arguments: ["a.gguf", "model/model.safetensors", "model/tokenizer.json", "model/config.json"])
    func `a Git LFS pointer is named as such`(name: String) throws {
      try withTemporaryFolder { folder in
        try copy("llama-own-head", to: folder)
        let pointer =
          "version https://git-lfs.github.com/spec/v1\noid sha256:\(String(repeating: "0", count: 64))\nsize 9\n"
        try pointer.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
        let result = try tinyalign("score", "--model", name == "a.gguf" ? name : "model", "abc", in: folder)
        expectRefusal(result, status: 1, saying: "\(name): this is a Git LFS pointer")
      }
    }
  }
}
