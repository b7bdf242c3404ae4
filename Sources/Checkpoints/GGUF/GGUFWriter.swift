public import Foundation

/// The types that the matrices of a GGUF file are written as; the raw value is the name in ggml.
///
/// Norms, biases and GPT-2's positions are 32-bit floats in any case, as llama.cpp wants them.
public enum GGUFMatrixType: String, CaseIterable, Sendable {
  /// IEEE 754 binary32.
  case float32 = "F32"
  /// IEEE 754 binary16.
  case float16 = "F16"
  /// The upper half of a binary32.
  case bfloat16 = "BF16"
  /// Blocks of 32 signed bytes with a scale; a matrix whose rows are no multiple of 32 long is written as binary16.
  case q8x0 = "Q8_0"

  var tensorType: GGUFTensorType {
    switch self {
    case .float32: .f32
    case .float16: .f16
    case .bfloat16: .bf16
    case .q8x0: .q8x0
    }
  }

  /// The number under `general.file_type`.
  var fileType: Int {
    switch self {
    case .float32: 0
    case .float16: 1
    case .q8x0: 7
    case .bfloat16: 32
    }
  }
}

/// Writes a model of Hugging Face's convention as a GGUF file (version 3) that llama.cpp and Ollama load.
///
/// The file appears under its name only when it is whole and on the disk; beside the tensors in memory nothing larger
/// than a block of rows is held.
/// - Parameters:
///   - tensors: the weights under their names in transformers.
///   - configuration: the model's `config.json`.
///   - vocabulary: the tokenizer; tokens up to the size of the embedding are filled up with unused ones.
///   - matrices: the type of matrices.
///   - name: the model's name under `general.name`.
/// - Throws: ``CheckpointError`` for an architecture other than Llama and GPT-2, a configuration that GGUF cannot
///   express, a tensor that is missing, unknown or of another shape, NaN or infinity, a number too large for the
///   type, or when the file cannot be written. Nothing is left behind.
public func writeGGUF(
  _ tensors: [TensorToWrite], configuration: Data, vocabulary: GGUFVocabulary,
  matrices: GGUFMatrixType = .float16, name: String? = nil, to url: URL
) throws {
  let byName = Dictionary(tensors.map { ($0.name, $0) }) { first, _ in first }
  guard byName.count == tensors.count else {
    let repeated = tensors.map(\.name).sorted()
    let twice = zip(repeated, repeated.dropFirst()).first { $0 == $1 }?.0 ?? ""
    throw CheckpointError.invalidTensor(name: twice, reason: "the name appears twice")
  }
  for tensor in tensors {
    guard tensor.shape.allSatisfy({ $0 >= 0 }), elementCount(tensor.shape) == tensor.values.count else {
      throw CheckpointError.invalidTensor(
        name: tensor.name, reason: "it has \(tensor.values.count) elements, which do not fill shape \(tensor.shape)")
    }
  }
  let plan = try GGUFPlan(
    shapes: byName.mapValues(\.shape),
    areEqual: { first, second in
      guard let first = byName[first], let second = byName[second] else { return false }
      return first.values.elementsEqual(second.values)
    }, configuration: configuration, vocabulary: vocabulary, matrices: matrices,
    name: name)
  try write(plan, to: url) { tensor, body in
    guard let found = byName[tensor] else {
      throw CheckpointError.missingTensor(name: tensor, file: "the model to write")
    }
    try body(found.values)
  }
}

private let alignment = 32
/// Elements that are converted at a time.
private let elementsPerBlock = 1 << 18

private func padding(_ count: Int) -> Int { (alignment - count % alignment) % alignment }

private func write(
  _ plan: GGUFPlan, to url: URL,
  withFloats: (String, (UnsafeBufferPointer<Float>) throws -> Void) throws -> Void
) throws {
  var header: [UInt8] = Array("GGUF".utf8)
  header.append(littleEndian: UInt32(3))
  header.append(littleEndian: UInt64(plan.tensors.count))
  header.append(littleEndian: UInt64(plan.metadata.count))
  header.append(contentsOf: plan.metadata.bytes)
  var offset = 0
  for tensor in plan.tensors {
    header.append(text: tensor.name)
    header.append(littleEndian: UInt32(tensor.lengths.count))
    for length in tensor.lengths { header.append(littleEndian: UInt64(length)) }
    header.append(littleEndian: tensor.type.rawValue)
    header.append(littleEndian: UInt64(offset))
    offset += tensor.byteCount + padding(tensor.byteCount)
  }
  header.append(contentsOf: repeatElement(0, count: padding(header.count)))
  let zeros = [UInt8](repeating: 0, count: alignment)
  try writeAtomically(to: url) { writer in
    try header.withUnsafeBytes { try writer.write($0) }
    for tensor in plan.tensors {
      switch tensor.source {
      case .model(let name): try withFloats(name) { try write(tensor, $0, to: writer, file: url.path) }
      case .values(let values): try values.withUnsafeBufferPointer { try write(tensor, $0, to: writer, file: url.path) }
      }
      try zeros.withUnsafeBytes {
        try writer.write(UnsafeRawBufferPointer(rebasing: $0[..<padding(tensor.byteCount)]))
      }
    }
  }
}

private func write(
  _ tensor: GGUFPlan.Tensor, _ values: UnsafeBufferPointer<Float>, to writer: AtomicFileWriter, file: String
) throws {
  guard let start = values.baseAddress, let first = tensor.lengths.first, first > 0 else { return }
  // The elements of a vector are rows of one element: those of a bias are interleaved as the rows of its matrix are.
  let rowLength = tensor.lengths.count > 1 ? first : 1
  if let index = firstNonFiniteIndex(in: values) {
    throw CheckpointError.notFinite(tensor: tensor.sourceName, index: index, file: file)
  }
  if let bound = overflowBits(of: tensor.type), let index = firstIndex(values, magnitudeBitsAtLeast: bound) {
    throw CheckpointError.outOfRange(
      tensor: tensor.sourceName, index: index, value: values[index],
      elementType: tensor.type == .bf16 ? .bfloat16 : .float16)
  }
  let rows = values.count / rowLength
  let rowsPerBlock = max(1, min(rows, elementsPerBlock / rowLength))
  let bytesPerRow = rowLength / tensor.type.blockElements * tensor.type.blockBytes
  let gathered = UnsafeMutablePointer<Float>.allocate(capacity: rowsPerBlock * rowLength)
  let converted = UnsafeMutableRawPointer.allocate(byteCount: rowsPerBlock * bytesPerRow, alignment: 16)
  defer {
    gathered.deallocate()
    converted.deallocate()
  }
  for first in stride(from: 0, to: rows, by: rowsPerBlock) {
    let count = min(rowsPerBlock, rows - first)
    gather(tensor.arrangement, start, rows: rows, rowLength: rowLength, first..<first + count, into: gathered)
    quantize(gathered, count: count * rowLength, to: tensor.type, into: converted)
    try writer.write(UnsafeRawBufferPointer(start: converted, count: count * bytesPerRow))
  }
}

/// Copies rows of the file's matrix from the model's.
private func gather(
  _ arrangement: RowArrangement, _ source: UnsafePointer<Float>, rows: Int, rowLength: Int, _ range: Range<Int>,
  into destination: UnsafeMutablePointer<Float>
) {
  switch arrangement {
  case .asStored:
    destination.update(from: source + range.lowerBound * rowLength, count: range.count * rowLength)
  case .interleaved(let heads):
    for (index, row) in range.enumerated() {
      let place = rowBelonging(toInterleaved: row, headSize: rows / heads)
      (destination + index * rowLength).update(from: source + place * rowLength, count: rowLength)
    }
  case .transposed:
    for column in 0..<rowLength {
      let line = source + column * rows + range.lowerBound
      for index in 0..<range.count { destination[index &* rowLength &+ column] = line[index] }
    }
  }
}
