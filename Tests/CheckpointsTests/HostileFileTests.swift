import Checkpoints
import Foundation
import TestSupport
import Testing

/// One file of the catalogue that `Scripts/goldens/checkpoints.py` writes.
private struct HeaderCase: Decodable {
  let name: String
  let hex: String
  let referenceAccepts: Bool

  enum CodingKeys: String, CodingKey {
    case name
    case hex
    case referenceAccepts = "reference_accepts"
  }

  var bytes: [UInt8] {
    let digits = Array(hex.utf8).map { $0 < 0x3a ? $0 - 0x30 : $0 - 0x57 }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }
}

@Suite(.timeLimit(.minutes(2))) struct HostileFileTests {
  /// Where the format's text or a bound makes us stricter than the reference.
  private static let refusedHereOnly: Set<String> = [
    "white space before the JSON", "a tensor twice", "a metadata key twice", "too many dimensions",
  ]

  /// What the message of some refused files must say.
  private static let messages: [String: String] = [
    "seven bytes": "cut short: it ends at byte 7 and 8 bytes are announced",
    "a header longer than the file": "cut short: it ends at byte 10 and 11 bytes are announced",
    "data cut short": "cut short",
    "a huge header length": "a header of 100000001 bytes",
    "the largest header length": "a header of 18446744073709551615 bytes",
    "a Git LFS pointer": "git lfs pull",
    "an HTML page": "is it a safetensors file?",
    "a list at the top": "does not begin with \"{\"",
    "a tensor twice": "the name \"a\" appears twice",
    "a dtype twice": "has \"dtype\" twice",
    "no dtype": "has no \"dtype\"",
    "no shape": "has no \"shape\"",
    "no offsets": "needs two \"data_offsets\"",
    "three offsets": "more than 2 offsets",
    "an unknown dtype": "unknown type \"F31\"",
    "a name that is not UTF-8": "not UTF-8",
    "a negative dimension": "a whole number of at least 0",
    "a negative offset": "a whole number of at least 0",
    "a dimension above 64 bits": "number out of range",
    "a shape that overflows": "the shape of tensor \"a\" is too large",
    "a shape that overflows to the right size": "the shape of tensor \"a\" is too large",
    "a shape larger than the bytes": "of shape [2] and type F32 does not fill its 4 bytes",
    "an end before the beginning": "end before they begin",
    "a hole between": "leaves a hole before it",
    "overlapping tensors": "overlaps the one before it",
    "bytes after the last tensor": "1 bytes follow the last tensor",
    "deep lists in an unknown field": "nested deeper than",
    "text after the JSON": "after the end of the value",
    "half a surrogate pair": "half of a surrogate pair",
    "a control character in a name": "a control character in a string",
  ]

  private func cases() throws -> [HeaderCase] {
    try JSONDecoder().decode([HeaderCase].self, from: try golden("headers.json", in: .module))
  }

  /// Opens a file and reads all of it; the only error that may come out is ours.
  ///
  /// - Returns: the error, or nil when the file is sound.
  private func readAll(_ bytes: MappedBytes) throws -> CheckpointError? {
    do {
      let file = try Safetensors(bytes, name: "hostile.safetensors")
      var end: Int?
      for entry in file.entries {
        #expect(entry.byteRange.lowerBound >= 8 && entry.byteRange.upperBound <= bytes.count)
        if let end { #expect(entry.byteRange.lowerBound == end) }
        end = entry.byteRange.upperBound
        #expect(file[entry.name] == entry)
        if entry.elementType != nil { #expect(try floats(entry, in: file).count == entry.count) }
      }
      if let end { #expect(end == bytes.count) }
      return nil
    } catch let error as CheckpointError {
      #expect(!error.description.contains { $0.isNewline })
      return error
    }
  }

  @Test func `accepts and refuses the catalogue as the reference does`() throws {
    let memory = try GuardedMemory(capacity: 1 << 20)
    let cases = try cases()
    #expect(cases.count > 100)
    for file in cases {
      let error = try readAll(memory.holding(file.bytes))
      let expected = file.referenceAccepts && !Self.refusedHereOnly.contains(file.name)
      #expect((error == nil) == expected, "\(file.name): \(error?.description ?? "accepted")")
      if let text = Self.messages[file.name] {
        #expect(error?.description.contains(text) == true, "\(file.name): \(error?.description ?? "accepted")")
      }
    }
    let names = Set(cases.map(\.name))
    #expect(names.isSuperset(of: Self.messages.keys) && names.isSuperset(of: Self.refusedHereOnly))
  }

  @Test func `decodes the escapes of a name`() throws {
    let bytes = try #require(try cases().first { $0.name == "an escaped name" }).bytes
    let held = heldForever(bytes)
    #expect(try Safetensors(held, name: "a").entries.map(\.name) == ["A\n😀/"])
  }

  @Test(arguments: ["f32", "f16", "bf16", "integers"])
  func `refuses every truncation and every extension of a sound file`(name: String) throws {
    let whole = Array(try golden("\(name).safetensors", in: .module))
    let memory = try GuardedMemory(capacity: whole.count + 1)
    #expect(try readAll(memory.holding(whole)) == nil)
    for count in 0..<whole.count {
      #expect(try readAll(memory.holding(Array(whole[..<count]))) != nil, "\(count) bytes")
    }
    #expect(try readAll(memory.holding(whole + [0])) != nil)
  }

  @Test func `survives 60,000 seeded mutations`() throws {
    let memory = try GuardedMemory(capacity: 1 << 20)
    var generator = SeededGenerator(seed: 22)
    var seeds = try ["f32", "f16", "bf16", "integers"].map { Array(try golden("\($0).safetensors", in: .module)) }
    seeds += try cases().map(\.bytes).filter { $0.count < 400 }
    var accepted = 0
    for _ in 0..<60_000 {
      // Half of them from the whole files, whose data may change freely.
      let range = Bool.random(using: &generator) ? 0..<4 : 4..<seeds.count
      var bytes = seeds[Int.random(in: range, using: &generator)]
      for _ in 0...Int.random(in: 0..<4, using: &generator) { mutate(&bytes, &generator) }
      if try readAll(memory.holding(bytes)) == nil { accepted += 1 }
    }
    // Mutations of the data alone leave a file sound; if none were, or all, nothing would have been tested.
    #expect(accepted > 1000 && accepted < 50_000, "\(accepted)")
  }

  /// Changes a file a little: bytes anywhere, the header's length, or pieces of JSON.
  private func mutate(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
    let pieces = [
      "-1", "0", "9223372036854775807", "18446744073709551616", "1e9", "[", "]", "{", "}", ",", ":", "\"", "\\",
      "\\ud800", "\"F16\"", "\"I64\"", "null", "\"data_offsets\":[0,0]", "\u{0}", "é",
    ]
    let place = Int.random(in: 0...bytes.count, using: &generator)
    switch Int.random(in: 0..<7, using: &generator) {
    case 0 where place < bytes.count:
      bytes[place] = .random(in: 0...255, using: &generator)
    case 1 where place < bytes.count:
      bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 2:
      bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...8, using: &generator)))
    case 3 where bytes.count >= 8:
      bytes[Int.random(in: 0..<8, using: &generator)] = .random(in: 0...255, using: &generator)
    case 4 where bytes.count > 16:
      // Pieces of JSON replace as many bytes, or push the rest on and correct the header's length.
      let piece = Array((pieces.randomElement(using: &generator) ?? "").utf8)
      let start = Int.random(in: 8..<bytes.count, using: &generator)
      bytes.replaceSubrange(start..<min(bytes.count, start + piece.count), with: piece)
    case 5 where bytes.count > 16 && bytes[0] < 200:
      let piece = Array((pieces.randomElement(using: &generator) ?? "").utf8)
      bytes.insert(contentsOf: piece, at: Int.random(in: 8..<bytes.count, using: &generator))
      bytes[0] += UInt8(piece.count)
    default:
      let other = Int.random(in: 0...bytes.count, using: &generator)
      bytes.insert(contentsOf: Array(bytes[min(place, other)..<max(place, other)].prefix(64)), at: place)
    }
  }

  @Test func `large hostile headers take time in proportion to their size`() throws {
    let escapes = packed("{\"" + String(repeating: "\\n", count: 1_000_000) + "\":1}")
    #expect(try readAll(heldForever(escapes)) != nil)
    var many = "{"
    for index in 0..<100_000 {
      many += "\(index == 0 ? "" : ",")\"\(index)\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}"
    }
    let held = heldForever(packed(many + "}"))
    #expect(try Safetensors(held, name: "a").entries.count == 100_000)
    let dimensions = String(repeating: "1,", count: 1_000_000)
    let wide = heldForever(packed("{\"a\":{\"shape\":[\(dimensions)1]}}"))
    #expect(try readAll(wide)?.description.contains("more than 64 dimensions") == true)
  }

  @Test func `a hostile name cannot break or flood the message`() throws {
    let name = "\\n\\u001b[31m\\u2028\\u202e" + String(repeating: "x", count: 10_000)
    let held = heldForever(packed("{\"\(name)\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}"))
    let text = try #require(message { try Safetensors(held, name: "a\nb") })
    #expect(text.utf8.count < 400 && text.utf8.allSatisfy { $0 >= 0x20 })
    #expect(text.contains("\\n\\u{1B}[31m\\u{2028}\\u{202E}xxx") && text.hasPrefix("a\\nb is damaged"))
  }
}
