import Foundation
import TestSupport
import Testing

extension CommandTests {
  @Suite struct InputTests {
    /// Runs a line of bash in which `$T` is the command.
    private func shell(_ line: String, in folder: URL) throws -> CommandResult {
      try CommandRunner(executable: URL(filePath: "/bin/bash"))
        .run(
          ["-c", "set -o pipefail; \(line)"], in: folder,
          environment: ["T": CommandRunner(product: "tinyalign").executable.path])
    }

    @Test(arguments: [
      #"printf 'the cat' | "$T" score --json"#, #"printf 'the cat' | "$T" score --json --file -"#,
      #"printf 'the cat' | "$T" score --json --file /dev/stdin"#, #""$T" score --json --file <(printf 'the cat')"#,
      #"printf 'the cat' > a.txt; "$T" score --json < a.txt"#,
      #"mkfifo pipe; printf 'the cat' > pipe & "$T" score --json --file pipe"#,
    ])
    func `texts are read from standard input and pipes`(line: String) throws {
      try withTemporaryFolder { folder in
        let piped = output(of: try shell(line, in: folder))
        #expect(piped == output(of: try tinyalign("score", "--json", "the cat", in: folder)))
      }
    }

    @Test func `every text command reads a pipe, and asks for texts where there is none`() throws {
      try withTemporaryFolder { folder in
        for command in ["score", "tokenize", "embed", "reward"] {
          let piped = output(of: try shell(#"printf 'a\n<|endoftext|> \nb' | "$T" \#(command) --json"#, in: folder))
          #expect(piped == output(of: try tinyalign(command, "--json", "a", "b", in: folder)))
          expectRefusal(try tinyalign(command, in: folder), status: 2, saying: "--file")
        }
      }
    }

    /// Files that hold the prompts "Once" and "The cat".
    private static let prompts: [(name: String, text: String)] = [
      ("lines.txt", "Once\nThe cat\n"),
      ("documents.txt", "Once\n<|endoftext|> \nThe cat\n\t<|endoftext|>\r\n"),
      ("lines.jsonl", "{\"prompt\":\"Once\"}\n{\"prompt\":\"The cat\"}\n"),
      ("objects.txt", "{\"prompt\":\"Once\"}\n{\"prompt\":\"The cat\"}\n"),
      ("lines.json", "{\"prompt\":\"Once\"}\n{\"prompt\":\"The cat\"}\n"),
      ("list.json", "[\"Once\", {\"prompt\":\"The cat\"}]"),
      ("list.txt", "[{\"prompt\":\"Once\"},\n {\"prompt\":\"The cat\"}]"),
      ("pretty.jsonl", "{\n  \"prompt\": \"Once\"\n}\n{\n  \"prompt\": \"The cat\"\n}\n"),
      ("table.csv", "id,prompt\n1,Once\n2,The cat\n"),
      ("table.tsv", "id\tprompt\n1\tOnce\n2\tThe cat\n"),
    ]

    @Test(arguments: prompts)
    func `prompts are read in whatever format they are in`(name: String, text: String) throws {
      try withTemporaryFolder { folder in
        try text.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
        let result = try tinyalign("sample", "--prompts", name, "--max-new-tokens", "1", "--json", in: folder)
        #expect(
          try jsonLines(StoryLine.self, keys: StoryLine.keys, of: output(of: result)).map(\.prompt) == [
            "Once", "The cat",
          ])
        guard !name.hasPrefix("table") else { return }
        // A pipe has no name to go by.
        let piped = try shell(#"cat \#(name) | "$T" sample --prompts - --max-new-tokens 1 --json"#, in: folder)
        #expect(output(of: piped) == result.output)
      }
    }

    private static let foreign: [(name: String, bytes: [UInt8], message: String)] = [
      ("a.parquet", Array("PAR1....".utf8), "Parquet"), ("a.txt", [0x1F, 0x8B, 8, 0], "gzip"),
      ("a.csv", [0x50, 0x4B, 3, 4], "zip archive"), ("b.txt", [0xFF, 0xFE, 0x61, 0], "UTF-16"),
      ("c.txt", [0x61, 0, 0x62, 0], "zero bytes"), ("d.txt", [0x28, 0xB5, 0x2F, 0xFD], "Zstandard"),
      ("e.jsonl", Array("version https://git-lfs.github.com/spec/v1\n".utf8), "Git LFS"),
    ]

    @Test(arguments: foreign)
    func `files that are no text are named, with what to do`(name: String, bytes: [UInt8], message: String) throws {
      try withTemporaryFolder { folder in
        try Data(bytes).write(to: folder.appending(path: name))
        expectRefusal(try tinyalign("sample", "--prompts", name, in: folder), status: 1, saying: message)
        expectRefusal(
          try tinyalign("align", "--recipe", name, "--out", "run", in: folder), status: 2, saying: message)
        guard !name.hasSuffix("jsonl") else { return }
        expectRefusal(try tinyalign("score", "--file", name, in: folder), status: 1, saying: message)
      }
    }

    @Test func `what would be ignored is refused`() throws {
      try withTemporaryFolder { folder in
        try "Once\n".write(to: folder.appending(path: "a.txt"), atomically: true, encoding: .utf8)
        for command in [["sample"], ["align", "--out", "run"]] {
          for prompts in [[], ["--prompts", "a.txt"]] {
            expectRefusal(
              try tinyalign(command + prompts + ["--system", "Be kind."], in: folder), status: 2,
              saying: "--system needs --chat")
          }
        }
        try "{}\n".write(to: folder.appending(path: "a.jsonl"), atomically: true, encoding: .utf8)
        expectRefusal(try tinyalign("score", "--file", "a.jsonl", in: folder), status: 1, saying: "JSON lines")
        #expect(try names(in: folder) == ["a.jsonl", "a.txt"])
      }
    }
  }
}
