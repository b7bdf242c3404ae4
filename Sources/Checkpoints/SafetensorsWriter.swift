public import Foundation

/// One tensor to write: its name, shape and elements.
public struct TensorToWrite {
  /// The tensor's name in the file.
  public let name: String
  /// The lengths of the dimensions, outermost first.
  public let shape: [Int]
  /// The elements, row-major; they must stay valid until the file is written.
  public let values: UnsafeBufferPointer<Float>

  /// A tensor called `name` of `values`, whose count is the product of `shape`.
  public init(name: String, shape: [Int], values: UnsafeBufferPointer<Float>) {
    self.name = name
    self.shape = shape
    self.values = values
  }
}

/// Writes a safetensors file with the tensors in the given order, each rounded to nearest (ties to even).
///
/// The file appears under its name only when it is whole and on the disk. A 16-bit type writes block by block, so
/// that no second copy of the model is held.
/// - Throws: ``CheckpointError`` for NaN or infinity, a number too large for `elementType`, a repeated name, a count
///   that differs from the shape, or when the file cannot be written. Nothing is left behind.
public func writeSafetensors(
  _ tensors: [TensorToWrite], elementType: ElementType, metadata: [String: String] = ["format": "pt"], to url: URL
) throws {
  let header = try safetensorsHeader(tensors, elementType: elementType, metadata: metadata)
  try writeAtomically(to: url) { writer in
    try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try writer.write($0) }
    try header.withUnsafeBytes { try writer.write($0) }
    for tensor in tensors { try write(tensor, elementType: elementType, to: writer, file: url.path) }
  }
}

private let blockSize = 1 << 16

private func write(
  _ tensor: TensorToWrite, elementType: ElementType, to writer: AtomicFileWriter, file: String
) throws {
  guard let start = tensor.values.baseAddress else { return }
  let overflowBits =
    switch elementType {
    case .float32: nil as UInt32?
    case .float16: float16OverflowBits
    case .bfloat16: bfloat16OverflowBits
    }
  let converted = UnsafeMutablePointer<UInt16>.allocate(capacity: blockSize)
  defer { converted.deallocate() }
  var done = 0
  while done < tensor.values.count {
    let count = min(tensor.values.count - done, blockSize)
    let block = UnsafeBufferPointer(start: start + done, count: count)
    if let index = firstNonFiniteIndex(in: block) {
      throw CheckpointError.notFinite(tensor: tensor.name, index: done + index, file: file)
    }
    if let overflowBits {
      if let index = firstIndex(block, magnitudeBitsAtLeast: overflowBits) {
        throw CheckpointError.outOfRange(
          tensor: tensor.name, index: done + index, value: block[index], elementType: elementType)
      }
      convert(start + done, to: elementType, into: converted, count: count)
      try writer.write(UnsafeRawBufferPointer(start: converted, count: count * 2))
    } else {
      try writer.write(UnsafeRawBufferPointer(block))
    }
    done += count
  }
}

/// The JSON header, padded with spaces so that the data begins at a multiple of 8 bytes.
private func safetensorsHeader(
  _ tensors: [TensorToWrite], elementType: ElementType, metadata: [String: String]
) throws -> [UInt8] {
  var text = "{"
  if !metadata.isEmpty {
    let members = metadata.sorted { $0.key < $1.key }.map { "\(jsonString($0.key)):\(jsonString($0.value))" }
    text += "\"__metadata__\":{\(members.joined(separator: ","))}"
  }
  var names: Set<String> = ["__metadata__"]
  var offset = 0
  for tensor in tensors {
    guard names.insert(tensor.name).inserted else {
      let reason = tensor.name == "__metadata__" ? "the format reserves this name" : "the name appears twice"
      throw CheckpointError.invalidTensor(name: tensor.name, reason: reason)
    }
    guard tensor.shape.allSatisfy({ $0 >= 0 }), elementCount(tensor.shape) == tensor.values.count else {
      throw CheckpointError.invalidTensor(
        name: tensor.name, reason: "it has \(tensor.values.count) elements, which do not fill shape \(tensor.shape)")
    }
    let end = offset + tensor.values.count * elementType.byteSize
    if text.utf8.count > 1 { text += "," }
    text += "\(jsonString(tensor.name)):{\"dtype\":\"\(elementType.rawValue)\","
    text += "\"shape\":[\(tensor.shape.map(String.init).joined(separator: ","))],"
    text += "\"data_offsets\":[\(offset),\(end)]}"
    offset = end
  }
  text += "}"
  var header = Array(text.utf8)
  header.append(contentsOf: repeatElement(0x20, count: (8 - header.count % 8) % 8))
  return header
}

private func jsonString(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": result += "\\\""
    case "\\": result += "\\\\"
    case "\0"..<" ":
      let digits = String(scalar.value, radix: 16)
      result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}
