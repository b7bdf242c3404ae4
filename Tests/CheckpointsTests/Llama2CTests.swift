import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(10))) struct Llama2CTests {
  private static let names = ["llama2c-v0", "llama2c-v0-untied", "llama2c-v1"]

  private func bytes(_ name: String) throws -> [UInt8] { Array(try golden("\(name).bin", in: .module)) }

  /// Opens a file and reads all of it; the only error that may come out is ours.
  private func readAll(_ bytes: MappedBytes) throws -> CheckpointError? {
    do {
      let file = try Llama2CFile(bytes, name: "a.bin")
      #expect(Llama2CFile.isPlausible(bytes))
      #expect(!file.huggingFaceConfiguration().isEmpty)
      let weights = file.huggingFaceWeights()
      for name in weights.tensorNames { _ = try floats(name, in: weights) }
      return nil
    } catch let error as CheckpointError {
      #expect(!error.description.contains { $0.isNewline })
      return error
    }
  }

  @Test(arguments: names) func `finds the weights that transformers has`(name: String) throws {
    let file = try Llama2CFile(heldForever(try bytes(name)), name: "a.bin")
    let tied = name == "llama2c-v0"
    try expectEqual(
      file.huggingFaceWeights(), golden: "llama2c.safetensors", leavingOut: tied ? ["lm_head.weight"] : [])
    let text = String(decoding: file.huggingFaceConfiguration(), as: UTF8.self)
    for line in [
      "\"hidden_size\": 16", "\"intermediate_size\": 12", "\"num_hidden_layers\": 2", "\"num_attention_heads\": 4",
      "\"num_key_value_heads\": 2", "\"vocab_size\": 12", "\"max_position_embeddings\": 8", "\"head_dim\": 4",
      "\"rms_norm_eps\": 1e-05", "\"rope_theta\": 10000.0", "\"bos_token_id\": 1", "\"eos_token_id\": 1",
      "\"tie_word_embeddings\": \(tied)", "\"model_type\": \"llama\"", "\"hidden_act\": \"silu\"",
    ] {
      #expect(text.contains(line), "\(line)")
    }
  }

  @Test func `refuses headers that cannot be`() throws {
    func refused(_ wanted: String, version: Int = 0, at offset: Int, _ value: [UInt8]) throws {
      var bytes = try bytes(version == 0 ? "llama2c-v0" : "llama2c-v1")
      bytes.replaceSubrange(offset..<offset + value.count, with: value)
      let found = try readAll(heldForever(bytes))?.description
      #expect(found?.hasPrefix("a.bin") == true && found?.contains(wanted) == true, "\(wanted): \(found ?? "accepted")")
      #expect(!Llama2CFile.isPlausible(heldForever(bytes)))
    }
    try refused("at byte 0: the width is 0; is it a llama2.c file?", at: 0, little(Int32(0)))
    try refused("at byte 8: the number of layers is -2", at: 8, little(Int32(-2)))
    try refused("at byte 20: the size of the vocabulary is 0", at: 20, little(Int32(0)))
    try refused("at byte 12: 3 heads cannot share a width of 16 evenly", at: 12, little(Int32(3)))
    try refused("at byte 12: 16 heads cannot share a width of 16 evenly, in pairs", at: 12, little(Int32(16)))
    try refused("at byte 16: 4 heads cannot share 3 key and value heads", at: 16, little(Int32(3)))
    try refused("at byte 16: 4 heads cannot share 8 key and value heads", at: 16, little(Int32(8)))
    try refused("cut short: it ends at byte ", at: 8, little(Int32(3)))
    try refused("the sizes are too large", at: 0, little(Int32(0x7fff_fff0)) + little(Int32.max) + little(Int32.max))
    try refused("cut short: it ends at byte ", at: 20, little(Int32.min))
    try refused("bytes and the file has", at: 8, little(Int32(1)))
    try refused("version 2 of llama2.c's format; export the model with --version 0", version: 1, at: 4, [2, 0, 0, 0])
    try refused("at byte 28: the size of the vocabulary is -12", version: 1, at: 28, little(Int32(-12)))
    try refused("at byte 36: whether the classifier is shared is 2", version: 1, at: 36, [2])
    try refused("at byte 255: the header is filled up with other than zeros", version: 1, at: 255, [1])
    try refused("cut short: it ends at byte ", version: 1, at: 36 - 8, little(Int32(13)))
    #expect(try readAll(heldForever(Array("GGUF".utf8)))?.description.contains("cut short") == true)
    let zip = Array("PK\u{3}\u{4}".utf8) + [UInt8](repeating: 0, count: 60)
    #expect(!Llama2CFile.isPlausible(heldForever(zip)))
    let pickle: [UInt8] = [0x80, 2] + [UInt8](repeating: 0x8a, count: 60)
    #expect(!Llama2CFile.isPlausible(heldForever(pickle)))
  }

  @Test(arguments: names) func `refuses every truncation and extension`(name: String) throws {
    let whole = try bytes(name)
    let memory = try GuardedMemory(capacity: whole.count + 4)
    #expect(try readAll(memory.holding(whole)) == nil)
    for count in 0..<whole.count {
      #expect(try readAll(memory.holding(Array(whole[..<count]))) != nil, "\(count) bytes")
    }
    for count in [1, 4] {
      #expect(try readAll(memory.holding(whole + [UInt8](repeating: 0, count: count))) != nil)
    }
  }

  @Test func `names a weight that is not a number`() throws {
    var bytes = try bytes("llama2c-v0")
    bytes.replaceSubrange(28 + 4 * 5..<28 + 4 * 6, with: little(Float.infinity.bitPattern))
    let error = try readAll(heldForever(bytes))
    #expect(error == .notFinite(tensor: "model.embed_tokens.weight", index: 5, file: "a.bin"))
  }

  @Test(arguments: names) func `survives mutations`(name: String) throws {
    let whole = try bytes(name)
    let memory = try GuardedMemory(capacity: 2 * whole.count + 1024)
    let rounds = fuzzRounds(default: 2000)
    var accepted = 0
    try forEachMutation(of: whole, rounds: rounds, seed: 46) { bytes in
      if try readAll(memory.holding(bytes)) == nil { accepted += 1 }
    }
    // Changes to the weights alone leave a file sound; if none were, or all, nothing would have been tested.
    #expect(accepted > rounds / 20 && accepted < rounds)
  }
}
