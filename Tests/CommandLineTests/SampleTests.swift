import Foundation
import TestSupport
import Testing

extension CommandTests {
  @Suite struct SampleTests {
    private func stories(_ arguments: String..., in folder: URL) throws -> [StoryLine] {
      let result = try CommandRunner(product: "tinyalign").run(["sample", "--json"] + arguments, in: folder)
      return try jsonLines(StoryLine.self, keys: StoryLine.keys, of: output(of: result))
    }

    @Test func `sample prints a JSON object for each story`() throws {
      try withTemporaryFolder { folder in
        let stories = try stories("-n", "3", "--prompt", "The cat", "--max-new-tokens", "12", in: folder)
        #expect(stories.count == 3)
        for story in stories {
          #expect(story.prompt == "The cat")
          #expect((1...12).contains(story.tokenIDs.count))
          #expect(story.finishReason == "stop" || (story.finishReason == "length" && story.tokenIDs.count == 12))
          let ids = story.finishReason == "stop" ? story.tokenIDs.dropLast() : story.tokenIDs[...]
          guard !ids.isEmpty else { continue }
          let decoded = try tinyalign("tokenize", "--decode", ids.map(String.init).joined(separator: ","), in: folder)
          #expect(output(of: decoded) == story.text + "\n")
        }
      }
    }

    @Test func `a seed tells the same stories, whatever their number and the threads`() throws {
      try withTemporaryFolder { folder in
        let four = try stories("-n", "4", "--seed", "3", "--max-new-tokens", "24", in: folder)
        #expect(try stories("-n", "4", "--seed", "3", "--max-new-tokens", "24", in: folder) == four)
        #expect(try stories("-n", "4", "--seed", "3", "--max-new-tokens", "24", "--threads", "1", in: folder) == four)
        #expect(
          try stories("-n", "2", "--seed", "3", "--max-new-tokens", "24", in: folder) == Array(four.prefix(2)))
        #expect(try stories("-n", "4", "--seed", "4", "--max-new-tokens", "24", in: folder) != four)
        #expect(Set(four.map(\.tokenIDs)).count > 1)
      }
    }

    @Test func `temperature 0, top-k 1 and a tiny top-p all take the most likely token`() throws {
      try withTemporaryFolder { folder in
        let greedy = try stories("--temperature", "0", "--max-new-tokens", "12", in: folder)
        #expect(try stories("--temperature", "0", "--seed", "9", "--max-new-tokens", "12", in: folder) == greedy)
        #expect(try stories("--top-k", "1", "--max-new-tokens", "12", in: folder) == greedy)
        #expect(try stories("--top-p", "0.000001", "--max-new-tokens", "12", in: folder) == greedy)
        // Truncations that leave every token change nothing.
        let free = try stories("-n", "4", "--max-new-tokens", "12", in: folder)
        #expect(try stories("-n", "4", "--top-k", "1000000", "--max-new-tokens", "12", in: folder) == free)
        #expect(try stories("-n", "4", "--top-p", "1", "--max-new-tokens", "12", in: folder) == free)
      }
    }

    @Test func `stories that end stop at the end-of-text token`() throws {
      try withTemporaryFolder { folder in
        // With a short story behind it the model soon ends some of 64 stories; all ends are the same token.
        let prompt = "Once upon a time there was a cat. The cat was happy. They lived happily ever after. The end."
        let stories = try stories("-n", "64", "--max-new-tokens", "40", "--prompt", prompt, in: folder)
        let ended = stories.filter { $0.finishReason == "stop" }
        try #require(!ended.isEmpty)
        let ends = Set(ended.compactMap(\.tokenIDs.last))
        #expect(ends.count == 1)
        for story in stories {
          let body = story.finishReason == "stop" ? story.tokenIDs.dropLast() : story.tokenIDs[...]
          #expect(ends.isDisjoint(with: body))
          #expect(!story.text.contains("<|endoftext|>"))
        }
      }
    }

    @Test func `without --json a story is printed as text, one as it comes, several apart`() throws {
      try withTemporaryFolder { folder in
        let told = try stories("-n", "2", "--max-new-tokens", "12", in: folder)
        let one = try tinyalign("sample", "--max-new-tokens", "12", in: folder)
        #expect(output(of: one) == told[0].prompt + told[0].text + "\n")
        #expect(one.errors.isEmpty)
        let two = try tinyalign("sample", "-n", "2", "--max-new-tokens", "12", in: folder)
        #expect(output(of: two) == told.map { $0.prompt + $0.text + "\n" }.joined(separator: "\n———\n\n"))
      }
    }

    @Test func `several prompts have as many stories each, from flags and from files`() throws {
      try withTemporaryFolder { folder in
        let flags = ["-n", "2", "--max-new-tokens", "8", "--prompt", "The cat", "--prompt", "A dog"]
        let result = try CommandRunner(product: "tinyalign").run(["sample", "--json"] + flags, in: folder)
        let told = try jsonLines(StoryLine.self, keys: StoryLine.keys, of: output(of: result))
        #expect(told.map(\.prompt) == ["The cat", "The cat", "A dog", "A dog"])
        // The first prompt's stories are those that it has alone.
        let alone = try stories("-n", "2", "--max-new-tokens", "8", "--prompt", "The cat", in: folder)
        #expect(told.prefix(2).map(\.tokenIDs) == alone.map(\.tokenIDs))
        for (name, text) in [
          ("p.txt", "The cat\nA dog\n"), ("p.csv", "id,prompt\n1,The cat\n2,A dog\n"),
          ("p.jsonl", "{\"prompt\": \"The cat\"}\n{\"prompt\": \"A dog\"}\n"),
          ("p.json", "[\"The cat\", \"A dog\"]"),
        ] {
          try text.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
          let read = try stories("-n", "2", "--max-new-tokens", "8", "--prompts", name, in: folder)
          #expect(read == told, "\(name)")
        }
        let text = try tinyalign("sample", "--prompts", "p.txt", "--max-new-tokens", "8", in: folder)
        let parts = output(of: text).components(separatedBy: "\n———\n\n")
        #expect(parts.count == 2 && parts[0].hasPrefix("The cat") && parts[1].hasPrefix("A dog"))
      }
    }
  }
}
