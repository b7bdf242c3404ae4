import Foundation
import TestSupport
import Testing

/// What `run.json` keeps of the settings, but where the model is.
private struct Settings: Decodable, Equatable {
  struct Recipe: Decodable, Equatable {
    var toward: String
    var learningRate: Double
    var schedule: String
    var lengthNormalizer: Double?
    var klCoefficient: Double
    var prompts: String?

    enum CodingKeys: String, CodingKey {
      case toward, prompts
      case learningRate = "learning_rate"
      case schedule = "learning_rate_schedule"
      case lengthNormalizer = "length_normalizer"
      case klCoefficient = "kl_coefficient"
    }
  }
  var recipe: Recipe

  init(run: String, in folder: URL) throws {
    self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: folder.appending(path: "\(run)/run.json")))
  }
}

extension CommandTests {
  @Suite struct RecipeSettingsTests {
    private let small = ["--steps", "1", "--samples", "4", "--max-new-tokens", "1"]

    private func write(_ text: String, _ name: String, in folder: URL) throws {
      let file = folder.appending(path: name)
      try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try text.write(to: file, atomically: true, encoding: .utf8)
    }

    @Test func `a file with one setting is the same as its flag`() throws {
      try withTemporaryFolder { folder in
        try write("toward: dog\n", "dog.yaml", in: folder)
        let ofFile = try tinyalign(["align", "--recipe", "dog.yaml", "--out", "a"] + small, in: folder)
        #expect(ofFile.errors.contains("dog.yaml leaves to the default recipe: learning_rate 4.0e-4"))
        _ = output(of: ofFile)
        _ = output(of: try tinyalign(["align", "--toward", "dog", "--out", "b"] + small, in: folder))
        #expect(try Settings(run: "a", in: folder) == Settings(run: "b", in: folder))
        #expect(try text(folder.appending(path: "a/samples.jsonl")) == text(folder.appending(path: "b/samples.jsonl")))
        // A preset and what it was in version 0.1.0 stay what they are.
        _ = output(of: try tinyalign(["align", "--recipe", "tinycatstories", "--out", "c"] + small, in: folder))
        let preset = try Settings(run: "c", in: folder).recipe
        #expect(preset.schedule == "constant" && preset.learningRate == 3e-5 && preset.klCoefficient == 0)
      }
    }

    private static let values: [(text: String, toward: String?, message: String)] = [
      ("toward: no", "no", ""), ("toward: 010", "010", ""), ("toward: 12:30", "12:30", ""),
      ("steps: 1_0\ntoward: 1_0", "1_0", ""), ("length_normalizer: null", "cat", ""), ("chat: off", "cat", ""),
      ("toward:", nil, "'toward' has no value"), ("toward: ~", nil, "'toward' has no value"),
      ("keep:", nil, "'keep' has no value"), ("prompt: [a, ]\nsteps:", nil, "line 2: 'steps' has no value"),
      ("prompt: [a, ~]", nil, "'prompt' has an element"), ("steps: 010", nil, "'steps' is 010"),
      ("steps: 1:30", nil, "'steps' is 1:30"), ("learning_rate: -01e-4", nil, "'learning_rate' is -01e-4"),
      ("chat: y", nil, "'chat' needs true or false"), ("steps: 3\nsteps: 4", nil, "duplicated key(s): 'steps'"),
      ("\tsteps: 3", nil, "cannot start any token"), ("steps: 2\n---\nsteps: 3", nil, "expected a single document"),
    ]

    @Test(arguments: values)
    func `values are read as they were meant, or refused`(yaml: String, toward: String?, message: String) throws {
      try withTemporaryFolder { folder in
        try write(yaml + "\n", "recipe.yaml", in: folder)
        let result = try tinyalign(["align", "--recipe", "recipe.yaml", "--out", "run"] + small, in: folder)
        if let toward {
          _ = output(of: result)
          #expect(try Settings(run: "run", in: folder).recipe.toward == toward)
        } else {
          expectRefusal(result, status: 2, saying: message)
        }
      }
    }

    @Test func `a recipe's files lie beside it, and a run is resumed and verified from anywhere`() throws {
      try withTemporaryFolder { folder in
        try write("prompts: prompts.txt\nsamples: 4\nsteps: 2\nmax_new_tokens: 1\n", "project/dog.yaml", in: folder)
        try write("Once\nThe cat\n", "project/prompts.txt", in: folder)
        try write("Wrong\n", "prompts.txt", in: folder)
        _ = output(of: try tinyalign("align", "--recipe", "project/dog.yaml", "--out", "project/run", in: folder))
        let prompts = try #require(try Settings(run: "project/run", in: folder).recipe.prompts)
        #expect(prompts.hasPrefix("/") && prompts.hasSuffix("project/prompts.txt"))
        try FileManager.default.createDirectory(
          at: folder.appending(path: "elsewhere"), withIntermediateDirectories: true)
        let there = folder.appending(path: "elsewhere")
        #expect(output(of: try tinyalign("verify", "../project/run", in: there)).contains("the same"))
        // The whole project is moved.
        try FileManager.default.moveItem(at: folder.appending(path: "project"), to: folder.appending(path: "moved"))
        #expect(output(of: try tinyalign("verify", "../moved/run", in: there)).contains("the same"))
        // A run of version 0.1.0 has the path as it was given.
        let manifest = folder.appending(path: "moved/run/run.json")
        try text(manifest).replacing(prompts, with: "prompts.txt").write(
          to: manifest, atomically: true, encoding: .utf8)
        #expect(output(of: try tinyalign("verify", "run", in: folder.appending(path: "moved"))).contains("the same"))
        #expect(output(of: try tinyalign("verify", "../moved/run", in: there)).contains("the same"))
      }
    }

    @Test func `prompts that came from a pipe stay with the run`() throws {
      try withTemporaryFolder { folder in
        let program = try CommandRunner(product: "tinyalign").executable.path
        let line = #"printf '{"prompt":"Once"}\n' | "$0" align --prompts - --out run "$@""#
        _ = output(
          of: try CommandRunner(executable: URL(filePath: "/bin/bash")).run(["-c", line, program] + small, in: folder))
        #expect(try text(folder.appending(path: "run/prompt_data.jsonl")) == "{\"prompt\":\"Once\"}\n")
        #expect(output(of: try tinyalign("verify", "run", in: folder)).contains("the same"))
        let piped = #"printf 'toward: dog\n' | "$0" align --recipe - --out dog "$@""#
        _ = output(
          of: try CommandRunner(executable: URL(filePath: "/bin/bash")).run(["-c", piped, program] + small, in: folder))
        #expect(try Settings(run: "dog", in: folder).recipe.toward == "dog")
      }
    }

    @Test func `help names the default of every option, and align those of the default recipe`() throws {
      try withTemporaryFolder { folder in
        let required = ["pretrain --data", "pretrain --out", "convert --model", "convert --out"]
        for command in try CommandDescription.all(in: folder) {
          for option in command.arguments ?? [] where option.kind == "option" {
            let name = "\(command.commandName) \(option.name ?? "")"
            let hasDefault = option.defaultValue != nil || option.abstract?.contains("(default: ") == true
            #expect(hasDefault || required.contains(name), "\(name)")
          }
        }
      }
    }
  }
}
