import Checkpoints
import Foundation
import TestSupport
import Testing

/// One file of the catalogue that `Scripts/goldens/pytorch_malformed.py` writes.
private struct MalformedCase: Decodable {
  let name: String
  let base64: String
  /// What the message must say; nil where the file is sound.
  let message: String?
  /// What the tensor "a" of a sound file holds.
  let values: [Float]?

  func bytes() throws -> [UInt8] { Array(try #require(Data(base64Encoded: base64))) }
}

@Suite(.timeLimit(.minutes(5))) struct PyTorchHostileTests {
  private func cases() throws -> [MalformedCase] {
    try JSONDecoder().decode([MalformedCase].self, from: try golden("pytorch/malformed.json", in: .module))
  }

  /// Opens a file and reads all of it; the only error that may come out is ours.
  ///
  /// - Returns: the error, or nil when the file is sound.
  private func readAll(_ bytes: MappedBytes) throws -> CheckpointError? {
    do {
      let file = try PyTorchFile(bytes, name: "hostile.pt")
      var elements = 0
      for name in file.tensorNames {
        let count = try #require(file.shape(of: name)).reduce(1, *)
        elements += count
        // The bound that the reader states.
        #expect(elements <= 64 * max(bytes.count, 1 << 16))
        do {
          _ = try floats(name, in: file)
        } catch CheckpointError.notFinite, CheckpointError.unsupported {
          continue
        }
      }
      return nil
    } catch let error as CheckpointError {
      #expect(!error.description.contains { $0.isNewline })
      return error
    }
  }

  @Test func `names the fault of every file of the catalogue`() throws {
    let memory = try GuardedMemory(capacity: 1 << 20)
    let cases = try cases()
    #expect(cases.count > 200)
    for file in cases {
      let error = try readAll(memory.holding(try file.bytes()))
      if let message = file.message {
        let text = error?.description ?? "accepted"
        #expect(text.contains(message), "\(file.name): \(text)")
        #expect(text.hasPrefix("hostile.pt"), "\(file.name): \(text)")
      } else {
        #expect(error == nil, "\(file.name): \(error?.description ?? "")")
        let held = try PyTorchFile(heldForever(try file.bytes()), name: "a")
        #expect(held.tensorNames == ["a"], "\(file.name)")
        #expect(try floats("a", in: held) == file.values, "\(file.name)")
      }
    }
  }

  @Test(arguments: ["zip-2", "zip-4", "legacy-2", "legacy-5", "nested-model", "others", "others-legacy"])
  func `refuses every truncation of a sound file`(name: String) throws {
    let whole = Array(try golden("pytorch/\(name).pt", in: .module))
    let memory = try GuardedMemory(capacity: whole.count)
    #expect(try readAll(memory.holding(whole)) == nil)
    for count in 0..<whole.count {
      #expect(try readAll(memory.holding(Array(whole[..<count]))) != nil, "\(count) bytes")
    }
  }

  @Test(arguments: ["zip-2", "zip-4", "legacy-2", "nested-model", "nested-legacy", "module"])
  func `survives random mutations`(name: String) throws {
    let whole = Array(try golden("pytorch/\(name).pt", in: .module))
    let memory = try GuardedMemory(capacity: 2 * whole.count + 1024)
    let rounds = fuzzRounds(default: 2000)
    var accepted = 0
    try forEachMutation(of: whole, rounds: rounds, seed: 43) { bytes in
      if try readAll(memory.holding(bytes)) == nil { accepted += 1 }
    }
    // Mutations of the data and of padding leave a file sound; if none were, or all, nothing would have been tested.
    #expect(accepted > rounds / 100 && accepted < rounds * 9 / 10, "\(accepted) of \(rounds)")
  }

  @Test func `survives mutations of small files made by hand`() throws {
    let memory = try GuardedMemory(capacity: 1 << 20)
    let cases = try cases().map { try $0.bytes() }
    let rounds = fuzzRounds(default: 2000)
    for (index, bytes) in cases.enumerated() {
      try forEachMutation(of: bytes, rounds: max(1, rounds / cases.count), seed: UInt64(index)) {
        _ = try readAll(memory.holding($0))
      }
    }
  }

  /// A legacy file's beginning, which the object's pickle follows.
  private func legacy(_ pickle: [UInt8]) -> MappedBytes {
    let magic: [UInt8] = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e]
    let version: [UInt8] = [0x80, 2, 0x4d, 0xe9, 3, 0x2e]
    return MappedBytes(Data(magic + version + [0x80, 2, 0x7d, 0x2e] + pickle))
  }

  @Test(arguments: [
    ("marks", "(", "the pickle's stack grows too high"),
    ("values", "N", "the pickle's stack grows too high"),
    ("lists in lists", "]", "the pickle's stack grows too high"),
    ("tuples in tuples", "\u{85}", "the pickle ends in the middle"),
    ("kept values", "\u{94}", "the pickle ends in the middle"),
    ("lists made and dropped", "]0", "the pickle ends in the middle"),
    ("marks made and dropped", "(1", "the pickle ends in the middle"),
    ("a list that is appended to", "Na", "the pickle ends in the middle"),
  ])
  func `a pickle of millions of instructions ends in an error`(what: String, piece: String, text: String) throws {
    let bytes = piece.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
    let pickle = [0x80, 2, 0x4e, 0x5d] + (0..<3_000_000).map { bytes[$0 % bytes.count] }
    let found = try #require(message { try PyTorchFile(legacy(pickle), name: "m") })
    #expect(found.contains(text), "\(found)")
  }

  @Test func `values beyond the bound are refused`() throws {
    let pickle = [UInt8](repeating: 0x94, count: 9_000_000)
    let found = message { try PyTorchFile(legacy([0x80, 2, 0x4e] + pickle), name: "m") }
    #expect(found?.contains("the pickle holds more than 8388608 values") == true, "\(found ?? "")")
  }

  @Test func `a high stack does not make marks slow`() throws {
    // Half a million values below; if each mark copied them, this would take hours.
    let pickle: [UInt8] = [UInt8](repeating: 0x4e, count: 500_000) + (0..<1_000_000).map { $0 % 2 == 0 ? 0x28 : 0x31 }
    let found = message { try PyTorchFile(legacy([0x80, 2] + pickle), name: "m") }
    #expect(found?.contains("the pickle ends in the middle") == true, "\(found ?? "")")
  }
}
