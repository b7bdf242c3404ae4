import Foundation
import TestSupport
import Testing

/// All tests of the built command, one after the other: each of its processes uses all cores.
@Suite(.serialized) enum CommandTests {}

/// Runs `tinyalign` in `folder`.
func tinyalign(
  _ arguments: String..., in folder: URL, environment: [String: String?] = [:]
) throws -> CommandResult {
  try tinyalign(arguments, in: folder, environment: environment)
}

/// Runs `tinyalign`.
func tinyalign(
  _ arguments: [String], in folder: URL, environment: [String: String?] = [:]
) throws -> CommandResult {
  try CommandRunner(product: "tinyalign").run(arguments, in: folder, environment: environment)
}

/// Standard output of a command that must succeed.
func output(of result: CommandResult, location: SourceLocation = #_sourceLocation) -> String {
  #expect(result.status == 0, "\(result.errors)", sourceLocation: location)
  return result.output
}

/// The names of an object's keys.
private struct Keys: Decodable {
  struct Name: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }
  let names: Set<String>
  init(from decoder: any Decoder) throws {
    names = Set(try decoder.container(keyedBy: Name.self).allKeys.map(\.stringValue))
  }
}

/// Decodes text in which each line is one JSON object with exactly the keys `keys`, and nothing else stands.
func jsonLines<Line: Decodable>(
  _ type: Line.Type, keys: Set<String>, optionalKeys: Set<String> = [], of text: String,
  location: SourceLocation = #_sourceLocation
) throws -> [Line] {
  try #require(text.hasSuffix("\n"), "the last line has no end: \(text.suffix(200))", sourceLocation: location)
  return try text.dropLast().split(separator: "\n", omittingEmptySubsequences: false).map { line in
    let data = Data(line.utf8)
    let found = try JSONDecoder().decode(Keys.self, from: data).names
    #expect(found.subtracting(optionalKeys) == keys, sourceLocation: location)
    return try JSONDecoder().decode(type, from: data)
  }
}

/// Checks that a command refused: nothing on standard output, and on standard error one line, or the parser's usage
/// error, that says `message`.
func expectRefusal(
  _ result: CommandResult, status: Int32, saying message: String, location: SourceLocation = #_sourceLocation
) {
  #expect(result.status == status, "\(result.errors)", sourceLocation: location)
  #expect(result.output.isEmpty, sourceLocation: location)
  #expect(result.errors.contains(message), "it said: \(result.errors)", sourceLocation: location)
  if result.errors.hasPrefix("Error: ") {
    #expect(status == 2, "only wrong usage shows the usage", sourceLocation: location)
    #expect(result.errors.contains("Usage: tinyalign"), sourceLocation: location)
  } else {
    #expect(result.errors.hasPrefix("tinyalign: "), "it said: \(result.errors)", sourceLocation: location)
    #expect(result.errorLines.count == 1, "it said: \(result.errors)", sourceLocation: location)
  }
  // Words that a system's or library's own error would bring along.
  for leak in ["NSCocoaError", "could not be completed", "Domain=", "DecodingError", "EncodingError", "Fatal error"] {
    #expect(!result.errors.contains(leak), "it said: \(result.errors)", sourceLocation: location)
  }
}

/// A line of `metrics.jsonl`.
struct Metrics: Decodable {
  static let keys: Set = [
    "step", "reward_mean", "reward_std", "reward_max", "kl_forward", "kl_reverse", "loss", "entropy", "tokens", "nodes",
    "distinct_stories", "gradient_norm", "seconds", "seconds_split", "learning_rate", "mean_length", "end_of_text_rate",
    "tied_groups", "truncated_texts",
  ]
  var step: Int
  var rewardMean: Double
  var rewardStd: Double
  var rewardMax: Double
  var klForward: Double
  var klReverse: Double
  var entropy: Double
  var tokens: Int
  var nodes: Int
  var distinctStories: Int
  var gradientNorm: Double
  var seconds: Double
  var secondsSplit: [String: Double]

  enum CodingKeys: String, CodingKey {
    case step, entropy, tokens, nodes, seconds
    case rewardMean = "reward_mean"
    case rewardStd = "reward_std"
    case rewardMax = "reward_max"
    case klForward = "kl_forward"
    case klReverse = "kl_reverse"
    case distinctStories = "distinct_stories"
    case gradientNorm = "gradient_norm"
    case secondsSplit = "seconds_split"
  }
}

/// A line of `samples.jsonl`.
struct SampleLine: Decodable {
  static let keys: Set = [
    "step", "index", "prompt", "token_ids", "text", "reward", "advantage", "log_probability", "finish_reason",
    "log_probabilities", "reference_log_probabilities", "entropies", "token_bytes",
  ]
  var step: Int
  var index: Int
  var prompt: String
  var tokenIDs: [Int]
  var text: String
  var reward: Double
  var advantage: Double
  var logProbability: Double
  var finishReason: String

  enum CodingKeys: String, CodingKey {
    case step, index, prompt, text, reward, advantage
    case tokenIDs = "token_ids"
    case logProbability = "log_probability"
    case finishReason = "finish_reason"
  }
}

/// A line of `score --json`.
struct ScoreLine: Decodable {
  static let keys: Set = ["token_ids", "log_probabilities", "nats", "bytes", "bits_per_byte"]
  var tokenIDs: [Int]
  var logProbabilities: [Double?]
  var nats: Double
  var bytes: Int
  var bitsPerByte: Double

  enum CodingKeys: String, CodingKey {
    case nats, bytes
    case tokenIDs = "token_ids"
    case logProbabilities = "log_probabilities"
    case bitsPerByte = "bits_per_byte"
  }
}

/// A line of `sample --json`.
struct StoryLine: Decodable, Equatable {
  static let keys: Set = ["prompt", "text", "token_ids", "finish_reason"]
  var prompt: String
  var text: String
  var tokenIDs: [Int]
  var finishReason: String

  enum CodingKeys: String, CodingKey {
    case prompt, text
    case tokenIDs = "token_ids"
    case finishReason = "finish_reason"
  }
}

/// The part of `run.json` that the tests look at.
struct ManifestFile: Decodable {
  /// The settings that the tests look at.
  struct Recipe: Decodable {
    var memory: String?
  }
  var status: String
  var completedSteps: Int
  var seed: Int
  var recipe: Recipe

  enum CodingKeys: String, CodingKey {
    case status, seed, recipe
    case completedSteps = "completed_steps"
  }

  init(run: URL) throws {
    self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: run.appending(path: "run.json")))
  }
}

/// The text of a file.
func text(_ file: URL) throws -> String { try String(contentsOf: file, encoding: .utf8) }

/// The names in a folder, sorted.
func names(in folder: URL) throws -> [String] {
  try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
}

/// Trains a model of a few thousand parameters in `folder`/model, in a fraction of a second.
@discardableResult
func makeTinyModel(in folder: URL, _ moreArguments: String...) throws -> CommandResult {
  let settings = """
    vocabulary_size: 300
    hidden_size: 16
    layers: 2
    heads: 2
    context_length: 64
    window_size: 32
    passes: 3
    batch_tokens: 256
    warmup_steps: 2
    validate_every: 5
    """
  let stories = (1...40).map { "Once upon a time there was cat number \($0). It sat on a mat and saw a dog.\n" }
  try settings.write(to: folder.appending(path: "tiny.yaml"), atomically: true, encoding: .utf8)
  try stories.joined(separator: "<|endoftext|>\n")
    .write(to: folder.appending(path: "stories.txt"), atomically: true, encoding: .utf8)
  let result = try CommandRunner(product: "tinyalign").run(
    ["pretrain", "--config", "tiny.yaml", "--data", "stories.txt", "--out", "model"] + moreArguments, in: folder)
  _ = output(of: result)
  return result
}
