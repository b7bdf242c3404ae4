import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite struct TensorLoaderTests {
  private func open() throws -> Safetensors {
    let url = Bundle.module.bundleURL.appending(path: "Goldens/f16.safetensors")
    return try Safetensors(try MappedBytes(file: url), name: "model.safetensors")
  }

  private func load(_ name: String, _ shape: [Int], count: Int, with loader: inout TensorLoader) throws -> [Float] {
    var values = [Float](repeating: .nan, count: count)
    try values.withUnsafeMutableBufferPointer { try loader.load(name, shape: shape, into: $0) }
    return values
  }

  @Test func `loads tensors and reports what was left over`() throws {
    let file = try open()
    var loader = TensorLoader(file)
    #expect(loader.contains("lm_head.weight") && !loader.contains("lm_head.bias"))
    for entry in file.entries where entry.name != "scalar" && entry.name != "empty" {
      let loaded = try load(entry.name, entry.shape, count: entry.count, with: &loader)
      #expect(loaded == (try floats(entry, in: file)))
    }
    #expect(
      checkpointError { try loader.finish(ignoring: { $0 == "empty" }) }
        == .unexpectedTensors(names: ["scalar"], file: "model.safetensors"))
    #expect(message { try loader.finish() }?.contains("2 tensors the model has no place for") == true)
    _ = try load("scalar", [], count: 1, with: &loader)
    _ = try load("scalar", [], count: 1, with: &loader)
    try loader.finish(ignoring: { $0 == "empty" })
    #expect(try load("empty", [3, 0, 2], count: 0, with: &loader).isEmpty)
    try loader.finish()
  }

  @Test func `refuses what does not fit, without counting it as loaded`() throws {
    var loader = TensorLoader(try open())
    #expect(
      checkpointError { try load("lm_head.weight", [2, 4, 3], count: 24, with: &loader) }
        == .shapeMismatch(tensor: "lm_head.weight", expected: [2, 4, 3], found: [2, 3, 4], file: "model.safetensors"))
    #expect(checkpointError { try load("lm_head.weight", [2, 3, 4], count: 23, with: &loader) } != nil)
    #expect(
      checkpointError { try load("lm_head.bias", [2], count: 2, with: &loader) }
        == .missingTensor(name: "lm_head.bias", file: "model.safetensors"))
    let left = try #require(checkpointError { try loader.finish() })
    guard case .unexpectedTensors(let names, _) = left else {
      Issue.record("\(left)")
      return
    }
    #expect(names.count == 6 && left.description.hasSuffix("…; check that config.json belongs to these weights"))
  }

  @Test(arguments: [ElementType.float16, .bfloat16])
  func `refuses a number that is not finite, wherever it is`(type: ElementType) throws {
    let bad: [UInt16] = type == .float16 ? [0x7c00, 0xfc00, 0x7c01] : [0x7f80, 0xff80, 0xffff]
    for pattern in bad {
      for index in [0, 1, 8191, 8192, 19_999] {
        var patterns = [UInt16](repeating: 0x3c00, count: 20_000)
        patterns[index] = pattern
        let held = heldForever(file(of: patterns, type: type))
        var loader = TensorLoader(try Safetensors(held, name: "a"))
        let error = checkpointError { try load("a", [20_000], count: 20_000, with: &loader) }
        #expect(error == .notFinite(tensor: "a", index: index, file: "a"))
      }
    }
  }
}
