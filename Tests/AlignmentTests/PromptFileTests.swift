import Alignment
import ChatTemplates
import Foundation
import TestSupport
import Testing

struct PromptFileTests {
  private func read(_ text: String, _ name: String, column: String? = nil) throws -> PromptSet {
    try PromptSet(contents: Data(text.utf8), path: name, column: column)
  }

  /// The plain prompts of a file.
  private func texts(_ text: String, _ name: String, column: String? = nil) throws -> [String] {
    try read(text, name, column: column).prompts.map { prompt in
      guard case .text(let text) = prompt.content else {
        Issue.record("\(prompt) is no text")
        return ""
      }
      return text
    }
  }

  private func expectError(
    _ parts: String..., in text: String, _ name: String, column: String? = nil,
    location: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: AlignmentError.self, sourceLocation: location) {
      try read(text, name, column: column)
    }
    let line = error?.description ?? "nothing"
    #expect(line.contains(name) && !line.contains("\n"), "\(line)", sourceLocation: location)
    for part in parts { #expect(line.contains(part), "'\(part)' is not in: \(line)", sourceLocation: location) }
    #expect(error?.isUsageError == false, sourceLocation: location)
  }

  @Test func `a text file has a prompt a line`() throws {
    #expect(try texts("One day\nThe cat\nOne day\n", "p.txt") == ["One day", "The cat", "One day"])
    #expect(try texts("One day\r\n  The cat ", "p.txt") == ["One day", "  The cat "])
    #expect(try texts("a\n\n\r\n\n", "p.txt") == ["a"])
    #expect(try texts("\u{FEFF}Größe\n猫\n", "p") == ["Größe", "猫"])
    #expect(try read("a\nb\n", "p.txt").prompts.map(\.origin) == ["p.txt, line 1", "p.txt, line 2"])
    expectError("line 2", "empty", "<|endoftext|>", in: "a\n\n\nb\n", "p.txt")
    expectError("line 2", "empty", in: "a\n \t\nb\n", "p.txt")
    expectError("no prompts", in: "", "p.txt")
    expectError("no prompts", in: "\n\n", "p.txt")
    expectError("no prompts", in: "\u{FEFF}", "p.txt")
    expectError("--prompt-column", in: "a\n", "p.txt", column: "a")
  }

  @Test func `a text file with separators has documents`() throws {
    let text = "One day\n\nthere was\n<|endoftext|>\n\nThe cat\r\nsat.\r\n<|endoftext|>\n<|endoftext|>\r\nLast"
    #expect(try texts(text, "p.txt") == ["One day\n\nthere was", "The cat\r\nsat.", "Last"])
    #expect(
      try read(text, "p.txt").prompts.map(\.origin) == ["p.txt, line 1", "p.txt, line 6", "p.txt, line 10"])
    #expect(try texts("<|endoftext|>\na", "p.txt") == ["a"])
    #expect(try texts("a\n <|endoftext|>\nb", "p.txt") == ["a", "b"])
    expectError("no prompts", in: "<|endoftext|>\n\n<|endoftext|>", "p.txt")
    expectError("line 3", "empty", in: "a\n<|endoftext|>\n  \n<|endoftext|>", "p.txt")
  }

  @Test func `lines of JSON have a prompt or messages`() throws {
    let text = """
      {"prompt": "One day", "other": [1, {"a": 2}]}

      {"id": 7, "prompt": "a\\nb \\u732b"}
      "just a text"
      """
    #expect(try texts(text, "p.jsonl") == ["One day", "a\nb 猫", "just a text"])
    #expect(
      try read(text, "p.JSONL").prompts.map(\.origin) == ["p.JSONL, line 1", "p.JSONL, line 3", "p.JSONL, line 4"])
    #expect(try texts("{\"prompt\": 1, \"q\": \"x\"}\r\n", "p.jsonl", column: "q") == ["x"])
    let turns = """
      {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u", "name": "n"}]}
      {"prompt": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}, {"role": "user", "content": ""}]}
      {"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}]}
      [{"role": "user", "content": "v"}]
      """
    func message(_ role: String, _ content: String) -> ChatMessage { ChatMessage(role: role, content: content) }
    #expect(
      try read(turns, "p.jsonl").prompts.map(\.content) == [
        .conversation([
          message("system", "s"), ChatMessage(role: "user", content: "u", members: [.init("name", .string("n"))]),
        ]),
        .conversation([message("user", "u"), message("assistant", "a"), message("user", "")]),
        // The answer is to be found anew.
        .conversation([message("user", "u")]), .conversation([message("user", "v")]),
      ])
    expectError("line 2", "not valid JSON", in: "{\"prompt\": \"a\"}\n{\"prompt\": \"b\"\n", "p.jsonl")
    expectError(
      "line 1", "no key 'prompt'", "'text', 'id'", "--prompt-column", in: "{\"text\": 1, \"id\": 2}", "p.jsonl")
    expectError("line 1", "no key 'q'", "no key at all", in: "{}", "p.jsonl", column: "q")
    expectError("line 1", "no object", in: "\"a\"", "p.jsonl", column: "q")
    expectError("line 1", "no prompt", in: "{\"prompt\": 5}", "p.jsonl")
    expectError("line 1", "no prompt", in: "null", "p.jsonl")
    expectError("line 2", "empty", in: "\"a\"\n{\"prompt\": \"\"}", "p.jsonl")
    expectError("line 1", "empty", in: "{\"prompt\": \" \\n\"}", "p.jsonl")
    expectError("line 1", "nothing to answer", in: "{\"messages\": []}", "p.jsonl")
    expectError(
      "line 1", "nothing to answer", in: "{\"messages\": [{\"role\": \"assistant\", \"content\": \"a\"}]}", "p.jsonl")
    for message in [
      "5", "{}", "{\"role\": \"user\"}", "{\"role\": \"\", \"content\": \"a\"}",
      "{\"role\": \"user\", \"content\": null}", "{\"role\": \"user\", \"content\": 5}",
    ] {
      expectError(
        "line 1", "message 2", "needs a", in: "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, \(message)]}",
        "p.jsonl")
    }
    expectError("line 1", "nested", in: String(repeating: "[", count: 100_000), "p.jsonl")
  }

  @Test func `a JSON list has objects or texts`() throws {
    #expect(try texts("[\"a\",\n {\"prompt\": \"b\"}]\n", "p.json") == ["a", "b"])
    #expect(try read("[\"a\", \"b\"]", "p.json").prompts.map(\.origin) == ["p.json, element 1", "p.json, element 2"])
    // An object a line, as many tools write it under this name.
    #expect(try texts("{\"prompt\": \"a\"}\n{\"prompt\": \"b\"}\n", "p.json") == ["a", "b"])
    expectError("element 2", "empty", in: "[\"a\", \"\"]", "p.json")
    expectError("element 2", "no prompt", in: "[\"a\", 5]", "p.json")
    expectError("no prompts", in: "[]", "p.json")
    expectError("not valid JSON", in: "", "p.json")
  }

  @Test func `a table has a column of prompts`() throws {
    let table = "id,prompt,\"more, and more\"\n1,One day,x\r\n2,\"The \"\"cat\"\",\r\nsat\",\n\n3,  plain ,\"\"\n"
    #expect(try texts(table, "p.csv") == ["One day", "The \"cat\",\r\nsat", "  plain "])
    #expect(try read(table, "p.csv").prompts.map(\.origin) == ["p.csv, line 2", "p.csv, line 3", "p.csv, line 6"])
    #expect(try texts(table, "p.CSV", column: "id") == ["1", "2", "3"])
    #expect(try texts("\u{FEFF}prompt\na\n\"b\"", "p.csv") == ["a", "b"])
    #expect(try texts("\"prompt\"\r\n\"a\r\nb\"\r\n", "p.csv") == ["a\r\nb"])
    expectError("line 1", "no column 'prompt'", "'a', 'b'", in: "a,b\n1,2\n", "p.csv")
    expectError("line 1", "stands 2 times", in: "prompt,prompt\n1,2\n", "p.csv")
    expectError("line 3", "1 fields", "header has 2", in: "id,prompt\n1,a\n2\n", "p.csv")
    expectError("line 2", "3 fields", in: "id,prompt\n1,a,b\n", "p.csv")
    expectError("line 3", "empty", in: "id,prompt\n1,a\n2,\n", "p.csv")
    expectError("line 2", "never closed", in: "prompt\n\"a\nb\n", "p.csv")
    expectError("line 2", "quote", in: "prompt\na\"b\n", "p.csv")
    expectError("line 3", "closing quote", in: "prompt\n\"a\n\"b\n", "p.csv")
    expectError("no prompts", in: "prompt\n", "p.csv")
    expectError("no prompts", in: "", "p.csv")
    expectError("line 1", "fields", in: String(repeating: ",", count: 20_000), "p.csv")
  }

  @Test func `what is not UTF-8 is refused with its line`() {
    for name in ["p.txt", "p.jsonl", "p.csv", "p.json"] {
      for bytes in [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80]] as [[UInt8]] {
        let contents = Data("prompt\n\"a\"\nb".utf8) + Data(bytes) + Data("\nc\n".utf8)
        let error = #expect(throws: AlignmentError.self) {
          try PromptSet(contents: contents, path: name, column: nil)
        }
        #expect(error?.description.hasPrefix("\(name), line 3: this is not UTF-8; ") == true)
      }
    }
    #expect(throws: AlignmentError.self) {
      try PromptSet(contents: Data([0xFF, 0xFE, 0x61, 0x00]), path: "p.txt", column: nil)
    }
  }

  @Test func `what is too large is refused`() {
    let long = String(repeating: "a", count: 1 << 20)
    expectError("line 2", "1048577 bytes", in: "b\n\(long)c\n", "p.txt")
    expectError("line 1", "bytes", in: "{\"prompt\": \"\(long)c\"}", "p.jsonl")
    expectError(
      "line 1", "bytes", in: "{\"messages\": [{\"role\": \"user\", \"content\": \"\(long)\"}]}", "p.jsonl")
    expectError("MiB", "jsonl", in: "[\"\(String(repeating: "a", count: 17 << 20))\"]", "p.json")
    #expect(throws: Never.self) { try read(long, "p.txt") }
    expectError("line 1000001", "more than are read", in: String(repeating: "a\n", count: 1_000_001), "p.txt")
  }

  @Test func `a file that cannot be read is named`() throws {
    try withTemporaryFolder { folder in
      for (name, reason) in [("nowhere.txt", "No such file"), ("", "directory")] {
        let error = #expect(throws: AlignmentError.self) { try PromptSet(file: folder.appending(path: name)) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "nothing")")
      }
      let file = folder.appending(path: "p.csv")
      try Data("prompt\na\na\n".utf8).write(to: file)
      #expect(try PromptSet(file: file).prompts.count == 2)
    }
  }

  @Test(arguments: ["p.txt", "p.jsonl", "p.json", "p.csv"])
  func `every truncation and many mutations are read or refused`(name: String) throws {
    let sources = [
      "One day\nThe cat\n<|endoftext|>\n猫\r\n", "id,prompt\n1,\"a \"\"b\"\", c\"\r\n2,d\n",
      "{\"prompt\": \"a\\u0041\"}\n{\"messages\": [{\"role\": \"user\", \"content\": \"b\"}]}\n",
      "[\"a\", {\"prompt\": [{\"role\": \"system\", \"content\": \"b\"}, {\"role\": \"user\", \"content\": \"\"}]}]",
    ]
    var isRead = 0
    func run(_ bytes: [UInt8]) {
      do {
        let set = try PromptSet(contents: Data(bytes), path: name, column: nil)
        #expect(!set.prompts.isEmpty)
        isRead += 1
      } catch {
        #expect(error is AlignmentError, "\(error)")
      }
    }
    for (index, source) in sources.enumerated() {
      let bytes = Array(source.utf8)
      for count in 0...bytes.count { run(Array(bytes.prefix(count))) }
      forEachMutation(of: bytes, rounds: fuzzRounds(default: 2_000) / 4, seed: UInt64(index)) { run($0) }
    }
    #expect(isRead > 4)
  }
}
