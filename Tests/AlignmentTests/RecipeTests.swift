import Alignment
import Foundation
import PolicyGradients
import TestSupport
import Testing
import Transformers

struct RecipeTests {
  /// The recipe of a YAML file with some settings on top.
  func recipe(_ yaml: String, _ change: (inout RecipeLayers) -> Void = { _ in }) throws -> Recipe {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "recipe.yaml")
      try Data(yaml.utf8).write(to: file)
      var layers = try RecipeLayers(file.path)
      change(&layers)
      return try layers.resolved()
    }
  }

  func expectError(_ parts: [String], _ body: () throws -> Recipe) {
    let error = #expect(throws: AlignmentError.self) { try body() }
    let text = error?.description ?? ""
    for part in parts { #expect(text.contains(part), "'\(part)' is not in: \(text)") }
    #expect(!text.contains("\n"))
    #expect(error?.isUsageError == true)
  }

  @Test func `the presets are the default and the published run`() throws {
    #expect(RecipeLayers.presets == ["default", "tinycatstories"])
    let frugal = try RecipeLayers("default").resolved()
    #expect(frugal.algorithm == .rloo && frugal.samples == 128 && frugal.steps == 30)
    #expect(frugal.klCoefficient == 0.1 && frugal.klReduction == .sum && frugal.klDirection == .forward)
    let published = try RecipeLayers("tinycatstories").resolved()
    #expect(published.algorithm == .reinforce && published.samples == 1_024 && published.steps == 80)
    #expect(published.klCoefficient == 0 && published.klReduction == .vocabularyMean)
    for recipe in [frugal, published] {
      #expect(recipe.model == "tinystories" && recipe.toward == "cat" && recipe.prompt == "Once upon a time there was")
      #expect(recipe.maxNewTokens == 4 && recipe.lengthNormalizer == 10 && recipe.optimizer == .adamw)
    }
    for name in RecipeLayers.presets { #expect(RecipeLayers.presetText(name)?.contains("model: tinystories") == true) }
    #expect(RecipeLayers.presetText("other") == nil)
  }

  @Test func `flags override the recipe, and nil leaves it`() throws {
    var layers = try RecipeLayers("tinycatstories")
    layers.set(.steps, 7)
    layers.set(.steps, 9)
    layers.set(.learningRate, 2e-6)
    layers.set(.klCoefficient, 6_000.0)
    layers.set(.klDirection, KLDirection.reverse.rawValue)
    layers.set(.seed, UInt64.max)
    layers.set(.microBatch, 64)
    layers.set(.samples, Int?.none)
    layers.set(.toward, String?.none)
    var expected = try RecipeLayers("tinycatstories").resolved()
    expected.steps = 9
    expected.learningRate = 2e-6
    expected.klCoefficient = 6_000
    expected.klDirection = .reverse
    expected.seed = .max
    expected.microBatch = 64
    #expect(try layers.resolved() == expected)
  }

  @Test func `a file leaves what it does not name at the defaults`() throws {
    var expected = try RecipeLayers("default")
    expected.set(.steps, 3)
    expected.set(.learningRate, 1e-5)
    #expect(try expected.resolved() == recipe("steps: 3\nlearning_rate: 1e-5 # small\n"))
  }

  @Test(arguments: [
    "yes", "no", "true", "1e3", "12", "null", "~", "cat: dog", "", " ", "- a", "#x", "\"", "a\nb\\n", "猫 🐈",
  ])
  func `a text given as a flag stays that text`(text: String) throws {
    let recipe = try recipe("steps: 3") { layers in
      layers.set(.model, text)
      layers.set(.reference, text)
      layers.set(.rewardModel, text)
    }
    // A tilde leads to the home folder, where a path begins with it.
    let path = text == "~" ? NSHomeDirectory() : text
    #expect(recipe.model == path && recipe.reference == path && recipe.rewardModel == path)
    guard text.contains(where: { !$0.isWhitespace }) else {
      expectError(["--toward"]) { try self.recipe("steps: 3") { $0.set(.toward, text) } }
      return
    }
    #expect(try self.recipe("steps: 3") { $0.set(.toward, text) }.toward == text)
    #expect(try self.recipe("steps: 3") { $0.set(.prompt, text) }.prompt == text)
  }

  @Test func `every setting can be set in YAML`() throws {
    let values: [Recipe.CodingKeys: String] = [
      .model: "m", .reference: "r", .rewardModel: "w", .prompt: "Once", .chat: "true", .system: "Be brief.",
      .longPrompts: "skip",
      .toward: "dog", .steps: "31", .samples: "18", .samplesPerPrompt: "6",
      .maxNewTokens: "9", .algorithm: "reinforce", .optimizer: "sgd", .learningRate: "0.25",
      .learningRateSchedule: "cosine", .warmupSteps: "2", .weightDecay: "0.125", .maxGradientNorm: "1.5",
      .lengthNormalizer: "11", .klCoefficient: "0.75", .klDirection: "reverse", .klReduction: "vocabulary-mean",
      .loraRank: "3", .loraAlpha: "1.5", .loraTargets: "[q_proj, v_proj]", .loraSaving: "adapter",
      .checkpointEvery: "4", .keep: "2", .keepBestBelowKL: "0.5", .nonFinite: "skip", .microBatch: "5",
      .memory: "2.5GB", .seed: "18446744073709551615",
    ]
    var expected = Recipe()
    expected.model = "m"
    expected.reference = "r"
    expected.rewardModel = "w"
    expected.prompt = "Once"
    expected.chat = true
    expected.system = "Be brief."
    expected.longPrompts = .skip
    expected.toward = "dog"
    expected.steps = 31
    expected.samples = 18
    expected.samplesPerPrompt = 6
    expected.maxNewTokens = 9
    expected.algorithm = .reinforce
    expected.optimizer = .sgd
    expected.learningRate = 0.25
    expected.learningRateSchedule = .cosine
    expected.warmupSteps = 2
    expected.weightDecay = 0.125
    expected.maxGradientNorm = 1.5
    expected.lengthNormalizer = 11
    expected.klCoefficient = 0.75
    expected.klDirection = .reverse
    expected.klReduction = .vocabularyMean
    expected.loraRank = 3
    expected.loraAlpha = 1.5
    expected.loraTargets = TextList(["q_proj", "v_proj"])
    expected.loraSaving = .adapter
    expected.checkpointEvery = 4
    expected.keep = 2
    expected.keepBestBelowKL = 0.5
    expected.nonFinite = .skip
    expected.microBatch = 5
    expected.memory = MemorySize("2.5GB")
    expected.seed = .max
    // A file of prompts takes the place of prompts.
    let ofFile: Set<Recipe.CodingKeys> = [.promptFile, .promptColumn]
    let keys = Recipe.CodingKeys.allCases.filter { !ofFile.contains($0) }
    var lines = keys.map { "\($0.rawValue): \(values[$0] ?? "MISSING")\n" }
    #expect(try recipe(lines.joined()) == expected)
    lines[keys.firstIndex(of: .prompt) ?? 0] = "prompts: p.csv\nprompt_column: question\n"
    expected.promptFile = "p.csv"
    expected.promptColumn = "question"
    #expect(expected.promptTexts.texts.isEmpty)
    #expect(try recipe(lines.joined()) == expected)
    // Groups must divide what the default recipe samples.
    lines[keys.firstIndex(of: .samplesPerPrompt) ?? 0] = "samples_per_prompt: 4\n"
    // These need checkpoints to choose from.
    for (key, line) in [
      (Recipe.CodingKeys.keep, "checkpoint_every: 4\n"), (.keepBestBelowKL, "checkpoint_every: 4\nkeep: 2\n"),
    ] {
      if let index = keys.firstIndex(of: key) { lines[index] += line }
    }
    // A system message needs the chat template that writes it.
    if let index = keys.firstIndex(of: .system) { lines[index] += "chat: true\n" }
    // These need an adapter.
    for key in [Recipe.CodingKeys.loraAlpha, .loraTargets, .loraSaving] {
      if let index = keys.firstIndex(of: key) { lines[index] += "lora_rank: 3\n" }
    }
    // One at a time: each changes something, and survives JSON.
    for (key, line) in zip(keys, lines) {
      let recipe = try recipe(line)
      #expect(try recipe != RecipeLayers("default").resolved(), "\(key.rawValue)")
      #expect(try JSONDecoder().decode(Recipe.self, from: JSONEncoder().encode(recipe)) == recipe)
    }
  }

  @Test func `prompts are one text, a list of texts, or a file`() throws {
    #expect(try recipe("prompt: Once").promptTexts.texts == ["Once"])
    #expect(try recipe("prompt: [Once, The dog, Once]").promptTexts.texts == ["Once", "The dog", "Once"])
    #expect(try recipe("prompt:\n- 12\n- 'yes'\n").promptTexts.texts == ["12", "yes"])
    // On top of a recipe, the one takes the other's place.
    let file = "prompts: a.csv\nprompt_column: question\n"
    for value in ["yes", "a\nb", "- x", "12"] {
      let recipe = try recipe(file) { $0.set(prompts: [value, "Once"]) }
      #expect(recipe.promptTexts.texts == [value, "Once"] && recipe.promptFile == nil && recipe.promptColumn == nil)
    }
    #expect(try recipe(file) { $0.set(prompts: []) }.promptFile == "a.csv")
    #expect(try recipe(file) { $0.set(.prompt, "Once") }.promptTexts.texts == ["Once"])
    let other = try recipe("prompt: [a, b]") { $0.set(.promptFile, "b.jsonl") }
    #expect(other.promptFile == "b.jsonl" && other.promptTexts.texts.isEmpty)
    #expect(try RecipeLayers("default").resolved().promptTexts.texts.count == 1)
    expectError(["--prompts and --prompt are both given"]) { try recipe(file + "prompt: Once\n") }
    expectError(["'prompt' needs a text or a list of texts"]) { try recipe("prompt: {a: b}\n") }
    expectError(["'prompt' needs a text or a list of texts"]) { try recipe("prompt: [a, [b]]\n") }
    for list in [["Once"], ["Once", "The dog"], []] {
      var recipe = Recipe()
      recipe.promptTexts = TextList(list)
      if list.isEmpty { recipe.promptFile = "a.txt" }
      #expect(try JSONDecoder().decode(Recipe.self, from: JSONEncoder().encode(recipe)) == recipe)
    }
    let single = try #require(
      JSONSerialization.jsonObject(with: JSONEncoder().encode(Recipe())) as? [String: Any])
    #expect(single["prompt"] as? String == "Once upon a time there was")
  }

  @Test func `an unknown key is named with its line and the nearest known one`() {
    expectError(["recipe.yaml", "line 3", "'stpes'", "did you mean 'steps'?"]) {
      try recipe("# a comment\nsamples: 4\nstpes: 3\n")
    }
    expectError(["line 1", "'learning-rate'", "did you mean 'learning_rate'?"]) { try recipe("learning-rate: 1\n") }
    expectError(["'frobnicate'", "known keys: model, reference"]) { try recipe("frobnicate: 1\n") }
  }

  @Test func `files that are no recipes are refused`() {
    expectError(["recipe.yaml", "steps"]) { try recipe("steps: 3\nsamples: 4\nsteps: 5\n") }
    expectError(["'steps'"]) { try recipe("steps: many\n") }
    expectError(["'steps'"]) { try recipe("steps: 2.5\n") }
    expectError(["'steps'"]) { try recipe("steps: [1, 2]\n") }
    expectError(["'prompt'"]) { try recipe("prompt: {a: b}\n") }
    expectError(["'algorithm'"]) { try recipe("algorithm: ppo\n") }
    expectError(["'seed'"]) { try recipe("seed: -1\n") }
    expectError(["recipe.yaml: the file is empty"]) { try recipe("") }
    expectError(["recipe.yaml: the file is empty"]) { try recipe("# nothing\n") }
    expectError(["keys and values"]) { try recipe("- steps\n- samples\n") }
    expectError(["keys and values"]) { try recipe("just text\n") }
    expectError(["not text"]) { try recipe("[a, b]: 3\n") }
    expectError(["not valid YAML"]) { try recipe("steps: [3\n") }
    expectError(["not valid YAML"]) { try recipe("steps: 3\n\tsamples: 4\n") }
  }

  @Test func `recipes that are not there are named with those that are`() {
    expectError(["no-such-recipe", "default, tinycatstories"]) { try RecipeLayers("no-such-recipe").resolved() }
    expectError(["cannot be read"]) { try RecipeLayers(FileManager.default.temporaryDirectory.path).resolved() }
  }

  /// A value out of range and its flag.
  struct Refused: Sendable {
    var line: String
    var flag: String
  }

  @Test(arguments: [
    Refused(line: "prompt: ''", flag: "--prompt"), Refused(line: "toward: ' '", flag: "--toward"),
    Refused(line: "prompt: []", flag: "--prompt"), Refused(line: "prompt: [a, '']", flag: "--prompt"),
    Refused(line: "prompts: ''", flag: "--prompts"), Refused(line: "prompt_column: a", flag: "--prompt-column"),
    Refused(line: "samples_per_prompt: 0", flag: "--samples-per-prompt"),
    Refused(line: "samples_per_prompt: 1", flag: "--samples-per-prompt"),
    Refused(line: "samples_per_prompt: 5", flag: "--samples-per-prompt"),
    Refused(line: "samples_per_prompt: 256", flag: "--samples-per-prompt"),
    Refused(line: "steps: 0", flag: "--steps"), Refused(line: "steps: -3", flag: "--steps"),
    Refused(line: "steps: 10000001", flag: "--steps"), Refused(line: "samples: 0", flag: "--samples"),
    Refused(line: "samples: 1", flag: "--samples"), Refused(line: "samples: 1048577", flag: "--samples"),
    Refused(line: "max_new_tokens: 0", flag: "--max-new-tokens"),
    Refused(line: "max_new_tokens: 65537", flag: "--max-new-tokens"),
    Refused(line: "learning_rate: 0", flag: "--learning-rate"),
    Refused(line: "learning_rate: -1.0", flag: "--learning-rate"),
    Refused(line: "learning_rate: .nan", flag: "--learning-rate"),
    Refused(line: "learning_rate: .inf", flag: "--learning-rate"),
    Refused(line: "warmup_steps: -1", flag: "--warmup-steps"),
    Refused(line: "warmup_steps: 31", flag: "--warmup-steps"),
    Refused(line: "weight_decay: -0.1", flag: "--weight-decay"),
    Refused(line: "weight_decay: .nan", flag: "--weight-decay"),
    Refused(line: "max_gradient_norm: 0", flag: "--max-gradient-norm"),
    Refused(line: "length_normalizer: 0", flag: "--length-normalizer"),
    Refused(line: "length_normalizer: .nan", flag: "--length-normalizer"),
    Refused(line: "kl_coefficient: -1", flag: "--kl-coefficient"),
    Refused(line: "kl_coefficient: .inf", flag: "--kl-coefficient"),
    Refused(line: "kl_coefficient: 1e300", flag: "--kl-coefficient"),
    Refused(line: "length_normalizer: 1e-60", flag: "--length-normalizer"),
    Refused(line: "checkpoint_every: 0", flag: "--checkpoint-every"),
    Refused(line: "micro_batch: 0", flag: "--micro-batch"),
  ])
  func `values out of range name the flag`(refused: Refused) {
    expectError([refused.flag + " "]) { try recipe(refused.line) }
  }

  @Test func `a single story is enough for REINFORCE`() throws {
    #expect(try recipe("samples: 1\nalgorithm: reinforce").samples == 1)
  }

  @Test func `a flag out of range names itself`() {
    expectError(["--steps is 0"]) { try recipe("steps: 3") { $0.set(.steps, 0) } }
    expectError(["--learning-rate is nan"]) { try recipe("steps: 3") { $0.set(.learningRate, Double.nan) } }
    expectError(["--kl-coefficient is inf"]) { try recipe("steps: 3") { $0.set(.klCoefficient, Double.infinity) } }
  }
}
