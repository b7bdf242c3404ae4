import Foundation
import TestSupport
import Testing

private struct ReportLine: Decodable {
  static let keys: Set = ["run", "svg", "html"]
  var run: String
  var svg: String
  var html: String
}

private struct PretrainLine: Decodable {
  static let keys: Set = ["step", "total_steps", "tokens", "loss", "learning_rate", "gradient_norm", "seconds"]
  var step: Int
  var totalSteps: Int
  var tokens: Int
  var loss: Double
  var validation: Double?

  enum CodingKeys: String, CodingKey {
    case step, tokens, loss
    case totalSteps = "total_steps"
    case validation = "validation_bits_per_byte"
  }
}

extension CommandTests {
  @Suite struct ReportAndPretrainTests {
    @Test func `report writes a run's pictures again`() throws {
      try withTemporaryFolder { folder in
        for run in ["one", "two"] {
          _ = output(of: try tinyalign("align", "--steps", "2", "--samples", "4", "--out", run, in: folder))
        }
        let files = ["one/training_metrics.svg", "one/report.html"].map { folder.appending(path: $0) }
        let before = try files.map(text)
        for file in files { try FileManager.default.removeItem(at: file) }
        let plain = output(of: try tinyalign("report", "one", in: folder)).split(separator: "\n")
        #expect(plain.count == 2)
        #expect(plain.first?.hasSuffix("one/training_metrics.svg") == true)
        #expect(plain.last?.hasSuffix("one/report.html") == true)
        #expect(try files.map(text) == before)
        let json = output(of: try tinyalign("report", "one", "two", "--json", in: folder))
        let lines = try jsonLines(ReportLine.self, keys: ReportLine.keys, of: json)
        #expect(lines.map(\.run) == ["one", "two"])
        for line in lines {
          #expect(FileManager.default.fileExists(atPath: line.svg) && FileManager.default.fileExists(atPath: line.html))
        }
      }
    }

    @Test func `pretrain makes a model that the other commands take`() throws {
      try withTemporaryFolder { folder in
        let result = try makeTinyModel(in: folder, "--json")
        let lines = try jsonLines(
          PretrainLine.self, keys: PretrainLine.keys, optionalKeys: ["validation_bits_per_byte"], of: result.output)
        let total = try #require(lines.first).totalSteps
        #expect(lines.map(\.step) == Array(1...total))
        for line in lines {
          #expect((line.validation != nil) == (line.step % 5 == 0 || line.step == total))
          #expect(line.totalSteps == total)
        }
        #expect(zip(lines, lines.dropFirst()).allSatisfy { $0.tokens < $1.tokens })
        #expect((lines.last?.loss ?? .nan) < lines[0].loss - 0.1)
        let validations = lines.compactMap(\.validation)
        #expect((validations.last ?? .nan) < (validations.first ?? .nan))

        let files = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
        #expect(try names(in: folder.appending(path: "model")) == files)
        let stories = output(
          of: try tinyalign("sample", "--model", "model", "--max-new-tokens", "5", "-n", "2", "--json", in: folder))
        #expect(try jsonLines(StoryLine.self, keys: StoryLine.keys, of: stories).count == 2)
        let score = output(of: try tinyalign("score", "--model", "model", "--json", "the cat", in: folder))
        #expect(try jsonLines(ScoreLine.self, keys: ScoreLine.keys, of: score)[0].bytes == 7)
        _ = output(
          of: try tinyalign(
            "align", "--model", "model", "--steps", "1", "--samples", "4", "--out", "run", in: folder))
      }
    }

    @Test func `the same seed trains the same model, and an existing tokenizer is taken over`() throws {
      try withTemporaryFolder { folder in
        try makeTinyModel(in: folder)
        let model = folder.appending(path: "model")
        let first = try Data(contentsOf: model.appending(path: "model.safetensors"))
        try FileManager.default.moveItem(at: model, to: folder.appending(path: "first"))
        let result = try makeTinyModel(in: folder)
        #expect(result.output.isEmpty)
        #expect(try Data(contentsOf: model.appending(path: "model.safetensors")) == first)

        let settings = "tokenizer: first\nhidden_size: 16\nlayers: 1\nheads: 1\ncontext_length: 32\npasses: 1\n"
        try settings.write(to: folder.appending(path: "second.yaml"), atomically: true, encoding: .utf8)
        _ = output(
          of: try tinyalign(
            "pretrain", "--config", "second.yaml", "--data", "stories.txt", "--out", "second", in: folder))
        #expect(
          try text(folder.appending(path: "second/tokenizer.json"))
            == text(folder.appending(path: "first/tokenizer.json")))
      }
    }

    @Test func `pretrain removes nothing that it did not write`() throws {
      try withTemporaryFolder { folder in
        try makeTinyModel(in: folder)
        let mine = folder.appending(path: "mine")
        try FileManager.default.createDirectory(at: mine, withIntermediateDirectories: false)
        try "years of work".write(to: mine.appending(path: "thesis.txt"), atomically: true, encoding: .utf8)
        let result = try tinyalign(
          "pretrain", "--config", "tiny.yaml", "--data", "stories.txt", "--out", "mine", in: folder)
        expectRefusal(result, status: 1, saying: "not empty")
        #expect(try names(in: mine) == ["thesis.txt"])
      }
    }
  }
}
