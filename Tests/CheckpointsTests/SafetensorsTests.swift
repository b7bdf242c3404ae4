import Checkpoints
import Foundation
import TestSupport
import Testing

/// The values that `Scripts/goldens/checkpoints.py` says a file holds.
private struct Expected: Decodable {
  let shapes: [String: [Int]]
  let bits: [String: [Int32]]
}

@Suite struct SafetensorsTests {
  private func expected(_ name: String) throws -> Expected {
    try JSONDecoder().decode(Expected.self, from: try golden("\(name).json", in: .module))
  }

  private func open(_ name: String) throws -> Safetensors {
    let url = Bundle.module.bundleURL.appending(path: "Goldens").appending(path: "\(name).safetensors")
    return try Safetensors(try MappedBytes(file: url), name: url.path)
  }

  @Test(arguments: [("f32", ElementType.float32), ("f16", .float16), ("bf16", .bfloat16)])
  func `reads what Python wrote, bit for bit`(name: String, type: ElementType) throws {
    let file = try open(name)
    let expected = try expected(name)
    #expect(file.metadata == ["format": "pt", "note": "a \"quoted\" é\n"])
    #expect(file.entries.count == 6)
    #expect(Set(file.entries.map(\.name)) == Set(expected.shapes.keys))
    for entry in file.entries {
      #expect(entry.elementType == type)
      #expect(entry.shape == expected.shapes[entry.name])
      let found = try floats(entry, in: file).map { Int32(bitPattern: $0.bitPattern) }
      #expect(found == expected.bits[entry.name], "\(entry.name)")
    }
    #expect(file["nothing"] == nil)
  }

  @Test func `keeps entries of other types, and refuses to read them as floats`() throws {
    let file = try open("integers")
    #expect(Set(file.entries.map(\.typeName)) == ["F32", "I64", "BOOL"])
    let entry = try #require(file["position_ids"])
    #expect(entry.elementType == nil && entry.shape == [3] && entry.byteRange.count == 24)
    let text = try #require(message { try floats(entry, in: file) })
    #expect(text.contains("\"position_ids\" has type I64") && text.contains("save the model as F32"))
    #expect(try floats(try #require(file["weight"]), in: file) == [1, 1])
  }

  @Test func `gives float32 in place where it is aligned`() throws {
    let file = try open("f32")
    let entry = try #require(file["transformer.wte.weight"])
    #expect(try file.withFloats(entry) { Array($0) } == (try floats(entry, in: file)))
    let half = try open("f16")
    #expect(try half.withFloats(try #require(half["scalar"])) { $0.count } == nil)
    let bytes = heldForever(
      packed("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}} ", data: [0, 0, 128, 63]))
    let unaligned = try Safetensors(bytes, name: "a")
    let single = try #require(unaligned["a"])
    let inPlace = try unaligned.withFloats(single) { Array($0) }
    #expect(inPlace == (single.byteRange.lowerBound % 4 == 0 ? [1] : nil))
    #expect(try floats(single, in: unaligned) == [1])
  }

  @Test func `reads floats at any alignment`() throws {
    for padding in 0..<8 {
      let spaces = String(repeating: " ", count: padding)
      let header = "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}\(spaces)"
      let bytes = heldForever(packed(header, data: [0, 0, 128, 63, 0, 0, 0, 64]))
      let file = try Safetensors(bytes, name: "a")
      #expect(try floats(try #require(file["a"]), in: file) == [1, 2])
    }
  }

  @Test func `refuses a destination of another size and an entry of another file`() throws {
    let file = try open("f32")
    let other = try open("f16")
    let entry = try #require(file["scalar"])
    for count in [0, 2] {
      var values = [Float](repeating: 0, count: count)
      let error = checkpointError { try values.withUnsafeMutableBufferPointer { try file.copyFloats(entry, into: $0) } }
      #expect(error == .shapeMismatch(tensor: "scalar", expected: [count], found: [], file: file.name))
    }
    let foreign = try #require(other["transformer.wte.weight"])
    #expect(message { try floats(foreign, in: file) }?.contains("has no tensor") == true)
    #expect(message { try file.withFloats(foreign) { $0.count } }?.contains("has no tensor") == true)
  }

  @Test func `writes files that read back bit for bit`() throws {
    let source = try open("f32")
    let values = try source.entries.map { ($0, try floats($0, in: source)) }
    // Set this to a folder to check the files with Python: Scripts/goldens/checkpoints.py --verify FOLDER
    let kept = ProcessInfo.processInfo.environment["TINYALIGN_KEEP_WRITTEN"]
    try withTemporaryFolder { temporary in
      let folder = kept.map { URL(filePath: $0, directoryHint: .isDirectory) } ?? temporary
      let metadata = ["format": "pt", "key \"é\"": "line\nline\u{1}"]
      try writeSafetensors([], elementType: .float32, to: folder.appending(path: "written-nothing.safetensors"))
      for (name, type) in [("f32", ElementType.float32), ("f16", .float16), ("bf16", .bfloat16)] {
        let url = folder.appending(path: "written-\(name).safetensors")
        let buffers = values.map { UnsafeMutableBufferPointer<Float>.allocate(capacity: $1.count) }
        defer { for buffer in buffers { buffer.deallocate() } }
        for (buffer, value) in zip(buffers, values) { _ = buffer.initialize(from: value.1) }
        let tensors = zip(values, buffers).map {
          TensorToWrite(name: $0.0.name, shape: $0.0.shape, values: UnsafeBufferPointer($1))
        }
        try writeSafetensors(tensors, elementType: type, metadata: metadata, to: url)
        let file = try Safetensors(try MappedBytes(file: url), name: url.path)
        let expected = try expected(name)
        #expect(file.metadata == metadata)
        #expect(Set(file.entries.map(\.name)) == Set(expected.shapes.keys))
        #expect((file.entries.first?.byteRange.lowerBound ?? 1) % 8 == 0)
        for entry in file.entries {
          let found = try floats(entry, in: file).map { Int32(bitPattern: $0.bitPattern) }
          #expect(entry.elementType == type && found == expected.bits[entry.name])
        }
      }
    }
  }

  @Test func `writes tensors in the given order`() throws {
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "a")
      let values: [Float] = [1, 2, 3]
      try values.withUnsafeBufferPointer { buffer in
        let tensors = ["z", "a", "m"].map { TensorToWrite(name: $0, shape: [3], values: buffer) }
        try writeSafetensors(tensors, elementType: .float32, to: url)
      }
      let file = try Safetensors(try MappedBytes(file: url), name: "a")
      #expect(file.entries.map(\.name) == ["z", "a", "m"])
      #expect(file.metadata == ["format": "pt"])
    }
  }

  @Test func `refuses to write what does not fit together`() throws {
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "a")
      let values: [Float] = [1, 2]
      values.withUnsafeBufferPointer { buffer in
        func refusal(_ tensors: [(String, [Int])]) -> String? {
          message {
            try writeSafetensors(
              tensors.map { TensorToWrite(name: $0, shape: $1, values: buffer) }, elementType: .float32, to: url)
          }
        }
        #expect(refusal([("a", [2]), ("a", [2])])?.contains("appears twice") == true)
        #expect(refusal([("__metadata__", [2])])?.contains("reserves this name") == true)
        #expect(refusal([("a", [3])])?.contains("2 elements, which do not fill shape [3]") == true)
        #expect(refusal([("a", [-1, -2])])?.contains("do not fill") == true)
        #expect(refusal([("a", [.max, .max])])?.contains("do not fill") == true)
      }
      let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      #expect(left.isEmpty)
    }
  }
}
