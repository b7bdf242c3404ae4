import Foundation
import TestSupport
import Testing

/// A line of `reward --json`.
struct RewardLine: Decodable {
  static let keys: Set = ["text", "reward"]
  var text: String
  var reward: Double
}

private struct EmbeddingLine: Decodable {
  static let keys: Set = ["text", "embedding"]
  var text: String
  var embedding: [Double]
}

private struct TokensLine: Decodable {
  static let keys: Set = ["token_ids", "tokens"]
  var tokenIDs: [Int]
  var tokens: [String]
  var text: String?

  enum CodingKeys: String, CodingKey {
    case tokens, text
    case tokenIDs = "token_ids"
  }
}

extension CommandTests {
  @Suite struct TextCommandTests {
    private let texts = ["Once upon a time there was a cat.", "A", "", "É ñ 🐈‍⬛ 漢字\n\ttwo  spaces"]

    private func scores(_ arguments: [String], in folder: URL) throws -> [ScoreLine] {
      let result = try CommandRunner(product: "tinyalign").run(["score", "--json"] + arguments, in: folder)
      return try jsonLines(ScoreLine.self, keys: ScoreLine.keys, of: output(of: result))
    }

    @Test(arguments: [false, true])
    func `score gives each token but the first, and with --bos the first too`(hasBeginning: Bool) throws {
      try withTemporaryFolder { folder in
        let lines = try scores((hasBeginning ? ["--bos"] : []) + texts, in: folder)
        try #require(lines.count == texts.count)
        for (text, line) in zip(texts, lines) {
          #expect(line.logProbabilities.count == line.tokenIDs.count)
          if let first = line.logProbabilities.first { #expect((first != nil) == hasBeginning) }
          #expect(line.logProbabilities.dropFirst().allSatisfy { ($0 ?? .nan) <= 0 })
          let nats = -line.logProbabilities.reduce(0.0) { $0 + ($1 ?? 0) }
          #expect(abs(line.nats - nats) < 1e-9)
          #expect(line.bytes == text.utf8.count)
          let bits = text.isEmpty ? 0 : nats / log(2) / Double(line.bytes)
          #expect(abs(line.bitsPerByte - bits) < 1e-9)
        }
      }
    }

    @Test func `score reads documents from a file, and long ones in windows`() throws {
      try withTemporaryFolder { folder in
        let long = String(repeating: "The cat sat on the mat. ", count: 120)
        let documents = [texts[0], "Two lines\nof text", long]
        try ("\n" + documents.joined(separator: "\n<|endoftext|>\n") + "\n<|endoftext|>\n").write(
          to: folder.appending(path: "documents.txt"), atomically: true, encoding: .utf8)
        let lines = try scores(["--file", "documents.txt"], in: folder)
        try #require(lines.count == 3)
        for (document, line) in zip(documents, lines) {
          let alone = try scores([document], in: folder)[0]
          #expect(line.tokenIDs == alone.tokenIDs)
          #expect(line.logProbabilities.first == .some(nil))
          let comparison = Comparison(
            line.logProbabilities.dropFirst().map { $0 ?? .nan }, alone.logProbabilities.dropFirst().map { $0 ?? .nan })
          #expect(comparison.matches(absolute: 1e-4), "\(comparison)")
        }
        #expect(lines[2].tokenIDs.count > 512, "longer than the context")
        // For people: a line for each document and one for all.
        let plain = output(of: try tinyalign("score", "--file", "documents.txt", in: folder)).split(separator: "\n")
        try #require(plain.count == 4)
        for (line, score) in zip(plain, lines) {
          #expect(line.hasPrefix(String(format: "%.4f bits/byte", score.bitsPerByte)))
        }
        let bits = lines.reduce(0) { $0 + $1.nats } / log(2) / Double(lines.reduce(0) { $0 + $1.bytes })
        #expect(plain[3].hasPrefix(String(format: "%.4f bits/byte over 3 texts", bits)))
      }
    }

    @Test func `tokenize and --decode are each other's reverse`() throws {
      try withTemporaryFolder { folder in
        let runner = try CommandRunner(product: "tinyalign")
        let encoded = output(of: try runner.run(["tokenize", "--json"] + texts, in: folder))
        let lines = try jsonLines(TokensLine.self, keys: TokensLine.keys, of: encoded)
        try #require(lines.count == texts.count)
        for (text, line) in zip(texts, lines) where !text.isEmpty {
          #expect(line.tokens.count == line.tokenIDs.count)
          let list = line.tokenIDs.map(String.init)
          for separator in [",", ", "] {
            let decoded = try tinyalign("tokenize", "--decode", list.joined(separator: separator), in: folder)
            #expect(output(of: decoded) == text + "\n")
          }
          let decoded = try jsonLines(
            TokensLine.self, keys: TokensLine.keys.union(["text"]),
            of: output(of: tinyalign("tokenize", "--json", "--decode", list.joined(separator: ","), in: folder)))
          #expect(decoded.map(\.text) == [text])
          #expect(decoded[0].tokenIDs == line.tokenIDs)
        }
        try texts[3].write(to: folder.appending(path: "one.txt"), atomically: true, encoding: .utf8)
        let fromFile = output(of: try tinyalign("tokenize", "--json", "--file", "one.txt", in: folder))
        #expect(
          try jsonLines(TokensLine.self, keys: TokensLine.keys, of: fromFile).map(\.tokenIDs) == [lines[3].tokenIDs])
        let plain = output(of: try tinyalign("tokenize", texts[0], in: folder))
        #expect(plain == zip(lines[0].tokenIDs, lines[0].tokens).map { "\($0) \($1)" }.joined(separator: "  ") + "\n")
      }
    }

    @Test func `rewards are cosines of the embeddings`() throws {
      try withTemporaryFolder { folder in
        let all = ["dog"] + texts
        let runner = try CommandRunner(product: "tinyalign")
        let embeddings = try jsonLines(
          EmbeddingLine.self, keys: EmbeddingLine.keys,
          of: output(of: runner.run(["embed", "--json"] + all, in: folder)))
        try #require(embeddings.map(\.text) == all)
        for line in embeddings {
          #expect(line.embedding.count == 384)
          #expect(abs(line.embedding.reduce(0) { $0 + $1 * $1 } - 1) < 1e-5)
        }
        let rewards = try jsonLines(
          RewardLine.self, keys: RewardLine.keys,
          of: output(of: runner.run(["reward", "--toward", "dog", "--json"] + all, in: folder)))
        try #require(rewards.map(\.text) == all)
        for (line, embedding) in zip(rewards, embeddings) {
          let cosine = zip(embedding.embedding, embeddings[0].embedding).reduce(0) { $0 + $1.0 * $1.1 }
          // A text without words has no meaning to compare, and the least reward.
          #expect(abs(line.reward - (line.text.isEmpty ? -1 : cosine)) < 1e-5)
        }
        #expect(abs(rewards[0].reward - 1) < 1e-5)
        // For people; the default target is "cat".
        let plain = output(of: try tinyalign("reward", "cat", "a cat", "the stock market", in: folder))
        let numbers = plain.split(separator: "\n").compactMap { Double($0.prefix(6)) }
        try #require(numbers.count == 3)
        #expect(numbers[0] == 1 && numbers[1] > numbers[2])
        let lines = output(of: try tinyalign("embed", "cat", "dog", in: folder)).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.allSatisfy { $0.contains("384 numbers") })
      }
    }
  }
}
