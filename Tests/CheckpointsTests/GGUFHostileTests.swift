import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct GGUFHostileTests {
  /// Opens a file and reads all of it in every view; the only error that may come out is ours.
  ///
  /// - Returns: the first error, or nil when the file is sound.
  private func readAll(_ bytes: MappedBytes) throws -> CheckpointError? {
    var first: CheckpointError?
    func attempt(_ body: () throws -> Void) throws {
      do {
        try body()
      } catch let error as CheckpointError {
        #expect(!error.description.contains { $0.isNewline })
        if first == nil { first = error }
      }
    }
    var opened: GGUFFile?
    try attempt { opened = try GGUFFile(bytes, name: "a.gguf") }
    guard let file = opened else { return first }
    for tensor in file.tensors {
      #expect(tensor.byteRange.lowerBound >= 24 && tensor.byteRange.upperBound <= bytes.count)
      try attempt { _ = try floats(tensor.name, in: file) }
    }
    for key in file.keys {
      _ = try? file.integers(key)
      _ = try? file.strings(key)
      _ = try? file.number(key)
    }
    guard let architecture = try? file.string("general.architecture"), architecture != "none" else { return first }
    try attempt { _ = try file.huggingFaceConfiguration() }
    try attempt { _ = try file.vocabulary() }
    try attempt {
      let weights = try file.huggingFaceWeights()
      for name in weights.tensorNames { _ = try floats(name, in: weights) }
    }
    return first
  }

  private func refused(_ name: String, _ wanted: String, _ change: (inout GGUFParts) -> Void) throws {
    var parts = GGUFParts.sound
    change(&parts)
    let bytes = parts.bytes
    let memory = try GuardedMemory(capacity: bytes.count + 1)
    let found = try readAll(memory.holding(bytes))?.description
    #expect(found?.hasPrefix("a.gguf") == true && found?.contains(wanted) == true, "\(name): \(found ?? "accepted")")
  }

  @Test func `refuses damaged headers by name`() throws {
    #expect(try readAll(heldForever(GGUFParts.sound.bytes)) == nil)
    try refused("bad magic", "at byte 0: it does not begin with \"GGUF\"; is it a GGUF file?") {
      $0.magic = [1, 2, 3, 4]
    }
    try refused("ggjt", "this is a GGML file from before GGUF; convert") { $0.magic = Array("tjgg".utf8) }
    try refused("git lfs", "git lfs pull") { $0.magic = Array("version https://git-lfs.github.com/spec/v1".utf8) }
    try refused("version 0", "at byte 4: GGUF version 0 is not known; 2 and 3 are read") { $0.version = 0 }
    try refused("version 1", "this is GGUF version 1") { $0.version = 1 }
    try refused("version 4", "GGUF version 4 is not known") { $0.version = 4 }
    try refused("big-endian", "this GGUF file is big-endian; convert it with gguf-py") { $0.version = 0x0300_0000 }
    try refused("too many tensors", "at byte 8: it announces 18446744073709551615 tensors, more than") {
      $0.announcedTensors = .max
    }
    try refused("many tensors", "tensors, more than the") { $0.announcedTensors = 1 << 40 }
    try refused("too many fields", "at byte 16: it announces 9223372036854775807 metadata entries") {
      $0.announcedFields = UInt64(Int64.max)
    }
    try refused("one field more", "a string of 562949953421312 bytes begins where 117 are left") {
      $0.announcedFields = 2
    }
    try refused("one tensor more", "the offset of tensor \"\" is too large") {
      $0.announcedTensors = 3
      $0.data = [UInt8](repeating: 0xee, count: 96)
    }
  }

  @Test func `refuses damaged metadata by name`() throws {
    try refused("no data", "a string of 5 bytes begins where 0 are left") {
      $0 = GGUFParts()
      $0.fields = [text("abcdefgh") + little(UInt32(8)) + little(UInt64(5))]
    }
    try refused("bad key size", "a string of 18446744073709551615 bytes begins where") {
      $0.fields.append(little(UInt64.max) + [0, 0, 0, 0, 0, 0, 0, 0, 0])
    }
    try refused("long key", "a metadata key has 65536 bytes, and at most 65535 are allowed") {
      $0.add(String(repeating: "k", count: 65_536), UInt32(1))
    }
    try refused("empty key", "a metadata key is empty") { $0.add("", UInt32(1)) }
    try refused("key not UTF-8", "a string is not UTF-8") {
      $0.fields.append(little(UInt64(1)) + [0xff] + little(UInt32(7)) + [0])
    }
    try refused("duplicate key", "the metadata key \"general.architecture\" appears twice") {
      $0.add("general.architecture", "x")
    }
    try refused("bad type", "the metadata key \"k\" has the unknown type 13") { $0.add("k", type: 13, [0]) }
    try refused("largest type", "the metadata key \"k\" has the unknown type 4294967295") {
      $0.add("k", type: .max, [0])
    }
    try refused("bad array type", "the metadata key \"k\" has the unknown type 99") {
      $0.add("k", elements: 99, count: 0, [])
    }
    try refused("bad Boolean", "the metadata key \"k\" has a Boolean of value 2") { $0.add("k", type: 7, [2]) }
    try refused("bad Boolean in an array", "has a Boolean of value 255") {
      $0.add("k", elements: 7, count: 2, [0, 255])
    }
    try refused("long array", "it announces 4611686018427387904 elements of \"k\"") {
      $0.add("k", type: 9, little(UInt32(4)) + little(UInt64(1) << 62))
    }
    try refused("longest array", "it announces 18446744073709551615 elements of \"k\"") {
      $0.add("k", type: 9, little(UInt32(10)) + little(UInt64.max))
    }
    try refused("long array of strings", "it announces 1000000 elements of \"k\"") {
      $0.add("k", type: 9, little(UInt32(8)) + little(UInt64(1_000_000)))
    }
    try refused("deep arrays", "the arrays of the metadata key \"k\" are nested more than 4 deep") { parts in
      let level = little(UInt32(9)) + little(UInt64(1))
      parts.add("k", type: 9, Array((0..<10_000).map { _ in level }.joined()))
    }
    try refused("alignment 0", "\"general.alignment\" is 0, and must be a power of two") {
      $0.add("general.alignment", UInt32(0))
    }
    try refused("alignment 13", "\"general.alignment\" is 13, and must be a power of two") {
      $0.add("general.alignment", UInt32(13))
    }
    try refused("large alignment", "cut short") { $0.add("general.alignment", UInt32(1) << 31) }
    try refused("alignment of another type", "\"general.alignment\" is of type uint64, and must be uint32") {
      $0.add("general.alignment", type: 10, little(UInt64(32)))
    }
  }

  @Test func `refuses damaged tensors by name`() throws {
    func one(_ parts: inout GGUFParts, _ lengths: [UInt64], type: UInt32 = 0, offset: UInt64 = 0, name: String = "a") {
      parts.tensors = []
      parts.addTensor(name, lengths, type: type, offset: offset)
    }
    try refused("long name", "a tensor's name has 65 bytes, and at most 64 are allowed") {
      one(&$0, [4], name: String(repeating: "n", count: 65))
    }
    try refused("duplicate tensor", "the tensor \"a\" appears twice") { $0.addTensor("a", [1], offset: 64) }
    try refused("five dimensions", "tensor \"a\" has 5 dimensions, and at most 4 are allowed") {
      one(&$0, [1, 1, 1, 1, 1])
    }
    try refused("most dimensions", "has 4294967295 dimensions") {
      $0.tensors = [text("a") + little(UInt32.max) + [UInt8](repeating: 0, count: 40)]
    }
    try refused("negative dimension", "a dimension of tensor \"a\" is too large") { one(&$0, [.max]) }
    try refused("dimensions that overflow", "the shape of tensor \"a\" is too large") { one(&$0, [1 << 32, 1 << 32]) }
    try refused("dimensions that overflow to 0", "the shape of tensor \"a\" is too large") { one(&$0, [1 << 62, 4]) }
    try refused("bytes that overflow", "the shape of tensor \"a\" is too large") { one(&$0, [UInt64(Int.max)]) }
    try refused("bad type", "tensor \"a\" has the unknown type 42") { one(&$0, [4], type: 42) }
    try refused("removed type", "tensor \"a\" has the unknown type 4") { one(&$0, [4], type: 4) }
    try refused("half a block", "the rows of tensor \"a\" have 16 elements, and Q4_0 needs a multiple of 32") {
      one(&$0, [16, 2], type: 2)
    }
    try refused("half a superblock", "the rows of tensor \"a\" have 128 elements, and Q6_K needs a multiple of 256") {
      one(&$0, [128, 2], type: 14)
    }
    try refused("scalar of blocks", "the rows of tensor \"a\" have 1 elements, and Q8_0 needs") {
      one(&$0, [], type: 8)
    }
    try refused("bad offset", "the offset 4 of tensor \"a\" is not a multiple of the alignment 32") {
      one(&$0, [4], offset: 4)
    }
    try refused("offset past the end", "cut short") { one(&$0, [4], offset: 64) }
    try refused("large offset", "the offset of tensor \"a\" is too large") { one(&$0, [4], offset: 1 << 63) }
    try refused("offset that overflows", "the offset of tensor \"a\" is too large") {
      one(&$0, [4], offset: UInt64(Int.max) - 31)
    }
    try refused("not enough data", "cut short") { one(&$0, [13]) }
    try refused("the same bytes", "the bytes of tensor \"b\" overlap those of \"a\"") {
      one(&$0, [4])
      $0.addTensor("b", [4])
    }
    try refused("overlap", "the bytes of tensor \"a\" overlap those of \"b\"") {
      one(&$0, [4], offset: 32)
      $0.addTensor("b", [12])
    }
    try refused("no tensor data", "cut short: it ends at byte") { $0.data = [] }
  }

  @Test func `a tensor of no elements may lie anywhere within the file`() throws {
    var parts = GGUFParts.sound
    parts.addTensor("empty", [0, 4])
    #expect(try readAll(heldForever(parts.bytes)) == nil)
  }

  private static let models = ["gguf-llama", "gguf-llama-q8", "gguf-gpt2"]

  @Test(arguments: models + ["sound"]) func `refuses every truncation`(name: String) throws {
    let whole = name == "sound" ? GGUFParts.sound.bytes : Array(try golden("\(name).gguf", in: .module))
    let end = try #require(try GGUFFile(heldForever(whole), name: name).tensors.map(\.byteRange.upperBound).max())
    #expect(whole.count - end < 32)
    let memory = try GuardedMemory(capacity: whole.count)
    #expect(try readAll(memory.holding(whole)) == nil)
    for count in 0..<end {
      #expect(throws: CheckpointError.self, "\(count) bytes") {
        try GGUFFile(memory.holding(Array(whole[..<count])), name: name)
      }
    }
  }

  @Test(arguments: models + ["sound", "gguf-types"]) func `survives mutations`(name: String) throws {
    let whole = name == "sound" ? GGUFParts.sound.bytes : Array(try golden("\(name).gguf", in: .module))
    let memory = try GuardedMemory(capacity: 2 * whole.count + 1024)
    let rounds = fuzzRounds(default: 2000)
    var (opened, accepted) = (0, 0)
    try forEachMutation(of: whole, rounds: rounds, seed: 47) { bytes in
      let held = memory.holding(bytes)
      if (try? GGUFFile(held, name: name)) != nil { opened += 1 }
      if try readAll(held) == nil { accepted += 1 }
    }
    // Changes to the weights alone leave a file sound; if none were, or all, nothing would have been tested.
    #expect(opened > rounds / 20 && opened < rounds)
    // The blocks of all types hold NaN, so that file is refused when it is read, unless it lost its tensors.
    #expect(name == "gguf-types" ? accepted < rounds / 20 : accepted > rounds / 50 && accepted <= opened)
  }

  @Test func `large hostile headers take time in proportion to their size`() throws {
    var strings = GGUFParts.sound
    strings.add("k", elements: 8, count: 1_000_000, [UInt8](repeating: 0, count: 8_000_000))
    #expect(try GGUFFile(heldForever(strings.bytes), name: "a").strings("k")?.count == 1_000_000)
    var arrays = GGUFParts.sound
    let empty = little(UInt32(0)) + little(UInt64(0))
    arrays.add("k", elements: 9, count: 500_000, Array(repeatElement(empty, count: 500_000).joined()))
    #expect(try readAll(heldForever(arrays.bytes)) == nil)
    var many = GGUFParts()
    for index in 0..<100_000 { many.addTensor("\(index)", [0]) }
    #expect(try GGUFFile(heldForever(many.bytes), name: "a").tensors.count == 100_000)
  }

  @Test func `a hostile name cannot break or flood the message`() throws {
    var parts = GGUFParts()
    let key = "\n\u{1b}[31m\u{2028}" + String(repeating: "x", count: 10_000)
    parts.add(key, UInt32(1))
    parts.add(key, UInt32(1))
    let text = try #require(message { try GGUFFile(heldForever(parts.bytes), name: "a\nb") })
    #expect(text.utf8.count < 400 && text.utf8.allSatisfy { $0 >= 0x20 } && text.hasPrefix("a\\nb is damaged"))
  }
}
