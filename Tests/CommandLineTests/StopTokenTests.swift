import Foundation
import TestSupport
import Testing

extension CommandTests {
  /// Where a model says which tokens end a text, and what becomes of these files.
  @Suite struct StopTokenTests {
    private func object(_ file: URL) throws -> [String: Any] {
      try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
    }

    private func edit(_ file: URL, _ change: (inout [String: Any]) -> Void) throws {
      var object = try FileManager.default.fileExists(atPath: file.path) ? self.object(file) : [:]
      change(&object)
      try JSONSerialization.data(withJSONObject: object, options: .sortedKeys).write(to: file)
    }

    private func copy(_ name: String, as other: String, in folder: URL) throws -> URL {
      let url = folder.appending(path: other)
      try FileManager.default.copyItem(at: folder.appending(path: name), to: url)
      return url
    }

    private func stories(of model: String, in folder: URL, _ more: String...) throws -> [StoryLine] {
      let arguments = [
        "sample", "--model", model, "--json", "-n", "200", "--max-new-tokens", "24", "--temperature", "1",
      ]
      return try jsonLines(
        StoryLine.self, keys: StoryLine.keys, of: output(of: tinyalign(arguments + more, in: folder)))
    }

    /// The id of a text that is one token.
    private func token(_ text: String, in folder: URL) throws -> Int {
      let line = output(of: try tinyalign("tokenize", "--model", "model", "--json", text, in: folder))
      let object = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      let ids = try #require(object["token_ids"] as? [Int])
      return try #require(ids.count == 1 ? ids[0] : nil)
    }

    private func expectStops(_ stops: [Int], _ stories: [StoryLine], location: SourceLocation = #_sourceLocation) {
      for story in stories {
        let first = story.tokenIDs.firstIndex { stops.contains($0) }
        #expect(first == nil || first == story.tokenIDs.count - 1, sourceLocation: location)
        #expect(story.finishReason == (first == nil ? "length" : "stop"), sourceLocation: location)
      }
      for stop in stops {
        #expect(stories.contains { $0.tokenIDs.last == stop }, "no story ends with \(stop)", sourceLocation: location)
      }
    }

    @Test func `a completion ends at each stop token, wherever it is named, and saved files name the same`() throws {
      try withTemporaryFolder { folder in
        try makeTinyModel(in: folder)
        let (end, a, t) = try (token("<|endoftext|>", in: folder), token(" a", in: folder), token(".", in: folder))
        let config = try copy("model", as: "config", in: folder)
        try edit(config.appending(path: "config.json")) {
          $0["eos_token_id"] = [end, a]
          $0["pad_token_id"] = 7
          $0["extra"] = ["kept": 1]
        }
        expectStops([end, a], try stories(of: "config", in: folder))
        let all = try copy("config", as: "all", in: folder)
        try edit(all.appending(path: "generation_config.json")) {
          $0["eos_token_id"] = [t]
          $0["temperature"] = 0.6
        }
        try Data(#"{"<|new|>": 300}"#.utf8).write(to: all.appending(path: "added_tokens.json"))
        expectStops([end, a, t], try stories(of: "all", in: folder))
        _ = output(of: try tinyalign("convert", "--model", "all", "--out", "converted", "--type", "F16", in: folder))
        let align = try tinyalign(
          "align", "--model", "all", "--steps", "1", "--samples", "128", "--max-new-tokens", "24", "--out", "run",
          "--json",
          in: folder)
        _ = output(of: align)
        for saved in ["converted", "run/checkpoints/step-000001"] {
          let saved = folder.appending(path: saved)
          for name in ["generation_config.json", "added_tokens.json", "tokenizer_config.json", "tokenizer.json"] {
            #expect(
              try Data(contentsOf: saved.appending(path: name)) == Data(contentsOf: all.appending(path: name)),
              "\(name)")
          }
          let config = try object(saved.appending(path: "config.json"))
          #expect(config["eos_token_id"] as? [Int] == [end, a] && config["pad_token_id"] as? Int == 7)
          #expect((config["extra"] as? [String: Int])?["kept"] == 1)
          expectStops([end, a, t], try stories(of: saved.path, in: folder))
        }
        // Nothing behind a stop token is trained on, and the run says how its stories ended.
        let samples = try text(folder.appending(path: "run/samples.jsonl")).split(separator: "\n").map {
          try JSONDecoder().decode(SampleLine.self, from: Data($0.utf8))
        }
        #expect(samples.count == 128)
        for sample in samples {
          let first = sample.tokenIDs.firstIndex { [end, a, t].contains($0) }
          #expect(first == nil || first == sample.tokenIDs.count - 1)
          #expect(sample.finishReason == (first == nil ? "length" : "stop"))
        }
        #expect(samples.contains { $0.tokenIDs.last == t })
      }
    }

    @Test func `an adapter's folder has its own tokenizer, template and stop tokens, whatever else is in it`() throws {
      try withTemporaryFolder { folder in
        try makeTinyModel(in: folder)
        let t = try token(".", in: folder)
        let align = try tinyalign(
          "align", "--model", "model", "--steps", "1", "--samples", "8", "--max-new-tokens", "4", "--out", "run",
          "--lora-rank", "2", "--lora-saving", "adapter", "--json", in: folder)
        _ = output(of: align)
        let adapter = try copy("run/checkpoints/step-000001", as: "adapter", in: folder)
        try edit(adapter.appending(path: "adapter_config.json")) { $0["base_model_name_or_path"] = "../model" }
        try edit(adapter.appending(path: "tokenizer_config.json")) { $0["eos_token"] = "." }
        try Data("[{{ messages[0].content }}]".utf8).write(to: adapter.appending(path: "chat_template.jinja"))
        try FileManager.default.copyItem(
          at: folder.appending(path: "model/config.json"), to: adapter.appending(path: "config.json"))
        let stories = try stories(of: "adapter", in: folder)
        #expect(stories.contains { $0.tokenIDs.last == t })
        #expect(stories.allSatisfy { !$0.tokenIDs.dropLast().contains(t) })
        let chat = try self.stories(of: "adapter", in: folder, "--chat", "--prompt", "cat")
        #expect(chat.allSatisfy { $0.prompt == "[cat]" })
        _ = output(of: try tinyalign("convert", "--model", "adapter", "--out", "merged", in: folder))
        for name in ["chat_template.jinja", "tokenizer_config.json"] {
          #expect(
            try Data(contentsOf: folder.appending(path: "merged/\(name)"))
              == Data(contentsOf: adapter.appending(path: name)), "\(name)")
        }
      }
    }

    @Test func `a tokenizer that ends texts does not end a prompt`() throws {
      try withTemporaryFolder { folder in
        try makeTinyModel(in: folder)
        let end = try token("<|endoftext|>", in: folder)
        let ending = try copy("model", as: "ending", in: folder)
        try edit(ending.appending(path: "tokenizer.json")) {
          let text = ["Sequence": ["id": "A", "type_id": 0]]
          let special = ["SpecialToken": ["id": "<|endoftext|>", "type_id": 0]]
          $0["post_processor"] = [
            "type": "TemplateProcessing", "single": [text, special], "pair": [text, special],
            "special_tokens": ["<|endoftext|>": ["id": "<|endoftext|>", "ids": [end], "tokens": ["<|endoftext|>"]]],
          ]
        }
        #expect(try stories(of: "ending", in: folder) == stories(of: "model", in: folder))
        // The ids of a text are still what the tokenizer says.
        let ids = output(of: try tinyalign("tokenize", "--model", "ending", "--json", "a", in: folder))
        #expect(ids.contains("\(end)]"))
      }
    }

    @Test func `a token that the model has no row for refuses the text that uses it, and nothing else`() throws {
      try withTemporaryFolder { folder in
        try makeTinyModel(in: folder)
        let more = try copy("model", as: "more", in: folder)
        try Data(#"{"<|new|>": 300, "<|newer|>": 301}"#.utf8).write(to: more.appending(path: "added_tokens.json"))
        #expect(try stories(of: "more", in: folder) == stories(of: "model", in: folder))
        let message = "model 'more' has a vocabulary of 300, and the text has the token 301 ('<|newer|>')"
        expectRefusal(
          try tinyalign("sample", "--model", "more", "--prompt", "a<|newer|>", in: folder), status: 1, saying: message)
        expectRefusal(
          try tinyalign("score", "--model", "more", "a", "b<|newer|>", in: folder), status: 1, saying: message)
      }
    }

    @Test func `a reference whose tokens are others is refused`() throws {
      try withTemporaryFolder { folder in
        try makeTinyModel(in: folder)
        let other = try copy("model", as: "other", in: folder)
        try edit(other.appending(path: "tokenizer.json")) { file in
          var model = file["model"] as? [String: Any] ?? [:]
          var vocabulary = model["vocab"] as? [String: Int] ?? [:]
          (vocabulary["a"], vocabulary["b"]) = (vocabulary["b"], vocabulary["a"])
          model["vocab"] = vocabulary
          file["model"] = model
        }
        let result = try tinyalign(
          "align", "--model", "model", "--reference", "other", "--steps", "1", "--samples", "4", "--max-new-tokens",
          "4",
          "--out", "run", in: folder)
        expectRefusal(result, status: 2, saying: "--reference has another tokenizer")
        #expect(try !names(in: folder).contains("run"))
      }
    }
  }
}
