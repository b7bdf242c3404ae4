import Checkpoints
import Foundation
import TestSupport
import Testing

/// The parts of a small GGUF file, each of which a test can make wrong.
struct GGUFParts {
  var magic: [UInt8] = Array("GGUF".utf8)
  var version: UInt32 = 3
  /// What the header announces, where it is not what there is.
  var announcedTensors: UInt64?
  var announcedFields: UInt64?
  var fields: [[UInt8]] = []
  var tensors: [[UInt8]] = []
  var data: [UInt8] = []
  var alignment = 32

  var bytes: [UInt8] {
    var all = magic + little(version)
    all += little(announcedTensors ?? UInt64(tensors.count)) + little(announcedFields ?? UInt64(fields.count))
    all += fields.joined() + Array(tensors.joined())
    if !data.isEmpty { all += [UInt8](repeating: 0, count: (alignment - all.count % alignment) % alignment) }
    return all + data
  }

  mutating func add(_ key: String, type: UInt32, _ value: [UInt8]) {
    fields.append(text(key) + little(type) + value)
  }

  mutating func add(_ key: String, _ value: String) { add(key, type: 8, text(value)) }
  mutating func add(_ key: String, _ value: UInt32) { add(key, type: 4, little(value)) }
  mutating func add(_ key: String, _ value: Float) { add(key, type: 6, little(value.bitPattern)) }

  mutating func add(_ key: String, elements type: UInt32, count: Int, _ values: [UInt8]) {
    add(key, type: 9, little(type) + little(UInt64(count)) + values)
  }

  /// A tensor's description; `lengths` are innermost first, as in the file.
  mutating func addTensor(_ name: String, _ lengths: [UInt64], type: UInt32 = 0, offset: UInt64 = 0) {
    tensors.append(
      text(name) + little(UInt32(lengths.count)) + lengths.flatMap { little($0) } + little(type) + little(offset))
  }

  /// A file of a key, and two tensors of 8 and 4 floats.
  static var sound: GGUFParts {
    var parts = GGUFParts()
    parts.add("general.architecture", "none")
    parts.addTensor("a", [4, 2])
    parts.addTensor("b", [4], offset: 32)
    parts.data = (0..<12).flatMap { little(Float($0).bitPattern) }
    return parts
  }
}

func little<Integer: FixedWidthInteger>(_ value: Integer) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// A string as GGUF has it.
func text(_ value: String) -> [UInt8] { little(UInt64(value.utf8.count)) + Array(value.utf8) }

/// All elements of a tensor as floats.
func floats(_ name: String, in source: any TensorSource) throws -> [Float] {
  let shape = try #require(source.shape(of: name), "no tensor \(name)")
  var values = [Float](repeating: .nan, count: shape.reduce(1, *))
  try values.withUnsafeMutableBufferPointer { try source.copyFloats(of: name, into: $0) }
  return values
}

/// Checks that a source has exactly the tensors of a golden safetensors file, bit for bit.
func expectEqual(_ source: any TensorSource, golden name: String, leavingOut left: Set<String> = []) throws {
  let expected = try Safetensors(heldForever(Array(try golden(name, in: .module))), name: name)
  let names = expected.tensorNames.filter { !left.contains($0) }
  #expect(names.count > 5 && source.tensorNames.count == names.count)
  #expect(Set(source.tensorNames) == Set(names))
  for name in names {
    #expect(source.shape(of: name) == expected.shape(of: name), "\(name)")
    #expect(try floats(name, in: source).map(\.bitPattern) == floats(name, in: expected).map(\.bitPattern), "\(name)")
  }
}

/// A GGUF file of the goldens.
func goldenGGUF(_ name: String) throws -> GGUFFile {
  try GGUFFile(heldForever(Array(try golden("\(name).gguf", in: .module))), name: "\(name).gguf")
}

/// Checks that a configuration says what the golden one says, for every key that it has but those named.
func expectConfiguration(_ data: Data, golden name: String, besides ours: Set<String>) throws {
  let found = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  let expected = try #require(
    try JSONSerialization.jsonObject(with: try golden(name, in: .module)) as? [String: Any])
  for (key, value) in found where !ours.contains(key) {
    let wanted = try #require(expected[key], "\(key)")
    #expect(value as? NSObject == wanted as? NSObject, "\(key): \(value) and \(wanted)")
  }
}

/// Writes all tensors of `source` as a GGUF file.
func writeGGUF(
  from source: any TensorSource, configuration: Data, vocabulary: GGUFVocabulary,
  matrices: GGUFMatrixType = .float16, name: String? = nil, to url: URL
) throws {
  var memory: [UnsafeMutableBufferPointer<Float>] = []
  defer { for values in memory { values.deallocate() } }
  let tensors = try source.tensorNames.map { tensor in
    let shape = source.shape(of: tensor) ?? []
    let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: shape.reduce(1, *))
    memory.append(values)
    try source.copyFloats(of: tensor, into: values)
    return TensorToWrite(name: tensor, shape: shape, values: UnsafeBufferPointer(values))
  }
  try writeGGUF(
    tensors, configuration: configuration, vocabulary: vocabulary, matrices: matrices, name: name, to: url)
}
