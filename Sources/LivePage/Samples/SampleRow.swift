import Foundation
import JSON
import Runs

/// What is kept of a sample in memory: numbers to sort by, and where the rest is. 48 bytes.
struct SampleRow: Sendable, Equatable {
  /// The byte of the file that its line starts at.
  var offset: Int
  /// Bytes of the line, without its end.
  var length: Int32
  /// Where its text's opening quote is, counted from the line's start.
  var textStart: Int32
  /// Bytes of the text with its quotes.
  var textLength: Int32
  var step: Int32
  var index: Int32
  /// The prompt's place in ``SampleIndex/prompts``.
  var prompt: Int32
  /// Sampled tokens.
  var tokens: Int32
  var reward: Float
  var advantage: Float
  /// Mean log-ratio of the models, nats per token; not a number where it is not known.
  var kl: Float

  /// Reads a line; every key that ``SampleRecord`` needs must be there.
  ///
  /// - Parameter prompt: gives the prompt's place.
  /// - Throws: `JSONError`, ``LineProblem``.
  init(_ line: UnsafeBufferPointer<UInt8>, offset: Int, prompt: (String) -> Int32) throws {
    var scanner = JSONScanner(line)
    var seen = 0
    var step = 0
    var index = 0
    var place: Int32 = 0
    var tokens = 0
    var reward: Float = 0
    var advantage: Float = 0
    var text = 0..<0
    var policy = Sum()
    var reference = Sum()
    try scanner.object { key, scanner in
      if key.spells("step") {
        step = try scanner.integer()
        seen |= 1
      } else if key.spells("index") {
        index = try scanner.integer()
        seen |= 2
      } else if key.spells("prompt") {
        place = prompt(try scanner.string())
        seen |= 4
      } else if key.spells("token_ids") {
        tokens = 0
        try scanner.array {
          _ = try $0.integer(Int.self)
          tokens += 1
        }
        seen |= 8
      } else if key.spells("text") {
        guard scanner.peek() == UInt8(ascii: "\"") else { throw scanner.problem("\"text\" is no string") }
        text = Self.quoted(after: key, in: line)
        _ = try scanner.string()
        seen |= 16
      } else if key.spells("reward") {
        reward = try scanner.float()
        seen |= 32
      } else if key.spells("advantage") {
        advantage = try scanner.float()
        seen |= 64
      } else if key.spells("log_probability") {
        _ = try scanner.float()
        seen |= 128
      } else if key.spells("finish_reason") {
        guard FinishReason(rawValue: try scanner.string()) != nil else {
          throw scanner.problem("\"finish_reason\" is neither \"stop\" nor \"length\"")
        }
        seen |= 256
      } else if key.spells("log_probabilities") {
        policy = try Sum(&scanner)
      } else if key.spells("reference_log_probabilities") {
        reference = try Sum(&scanner)
      } else if key.spells("entropies") || key.spells("token_bytes") {
        _ = try Sum(&scanner)
      } else {
        try scanner.skipValue()
      }
    }
    try scanner.expectEnd()
    if seen != 511 { throw scanner.problem("a key of the sample is missing") }
    guard let step = Int32(exactly: step), let index = Int32(exactly: index), let length = Int32(exactly: line.count),
      step >= 0, index >= 0, let tokens = Int32(exactly: tokens)
    else { throw LineProblem("a step or an index out of range") }
    self.offset = offset
    self.length = length
    textStart = Int32(text.lowerBound)
    textLength = Int32(text.count)
    self.step = step
    self.index = index
    self.prompt = place
    self.tokens = tokens
    self.reward = reward
    self.advantage = advantage
    let isKnown = reference.count > 0 && reference.count == policy.count
    kl = isKnown ? Float((policy.sum - reference.sum) / Double(policy.count)) : .nan
  }

  /// The step that a line is about, without reading the rest of it where it comes first; nil for a damaged line.
  static func step(of line: UnsafeBufferPointer<UInt8>) -> Int? {
    var scanner = JSONScanner(line)
    var step: Int?
    do {
      try scanner.expect(UInt8(ascii: "{"))
      if scanner.skip(word: "\"step\":") { return try scanner.integer() }
      scanner = JSONScanner(line)
      try scanner.object { key, scanner in
        if key.spells("step") { step = try scanner.integer() } else { try scanner.skipValue() }
      }
    } catch {
      return nil
    }
    return step
  }

  /// Where the string after `key` is in `line`, quotes and all.
  private static func quoted(after key: UnsafeBufferPointer<UInt8>, in line: UnsafeBufferPointer<UInt8>) -> Range<Int> {
    guard let base = line.baseAddress, let name = key.baseAddress else { return 0..<0 }
    var start = name - base + key.count + 1
    while start < line.count, line[start] != UInt8(ascii: "\"") { start += 1 }
    var end = start + 1
    while end < line.count, line[end] != UInt8(ascii: "\"") { end += line[end] == UInt8(ascii: "\\") ? 2 : 1 }
    return start..<max(start, min(end + 1, line.count))
  }

  private struct Sum {
    var sum = 0.0
    var count = 0

    init() {}

    init(_ scanner: inout JSONScanner) throws {
      try scanner.array {
        sum += try $0.double()
        count += 1
      }
    }
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Whether these bytes spell `word`.
  fileprivate func spells(_ word: StaticString) -> Bool {
    guard count == word.utf8CodeUnitCount else { return false }
    for index in 0..<count where self[index] != word.utf8Start[index] { return false }
    return true
  }
}
