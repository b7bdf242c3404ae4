public import Foundation

/// What can be wrong with a model's files; each case describes itself in one line: what, where, what to do.
public enum CheckpointError: Error, Equatable, Sendable, CustomStringConvertible, LocalizedError {
  /// A file is not there; the hint says what to do.
  case missingFile(path: String, hint: String)
  /// A file ends at `offset` bytes although it announces `needed`.
  case truncated(file: String, offset: Int, needed: Int)
  /// A file breaks its format, at a byte offset where one is known.
  case malformed(file: String, offset: Int?, reason: String)
  /// A tensor does not have the shape that the model needs.
  case shapeMismatch(tensor: String, expected: [Int], found: [Int], file: String)
  /// A tensor that the model needs is not in the file.
  case missingTensor(name: String, file: String)
  /// The file holds tensors that the model has no place for.
  case unexpectedTensors(names: [String], file: String)
  /// Something valid that this program does not handle; the hint says what to do instead.
  case unsupported(file: String, reason: String, hint: String)
  /// A tensor holds NaN or infinity at a flat, row-major index.
  case notFinite(tensor: String, index: Int, file: String)
  /// A number does not fit the element type that it is to be written as.
  case outOfRange(tensor: String, index: Int, value: Float, elementType: ElementType)
  /// What is to be written does not fit together: a repeated name, or a count that differs from the shape.
  case invalidTensor(name: String, reason: String)
  /// The operating system refused; `action` reads like "write" or "rename".
  case io(action: String, path: String, reason: String)

  /// One line: what, where, what to do.
  public var description: String {
    switch self {
    case .missingFile(let path, let hint):
      "\(oneLine(path)) is missing: \(hint)"
    case .truncated(let file, let offset, let needed):
      "\(oneLine(file)) is cut short: it ends at byte \(offset) and \(needed) bytes are announced; "
        + "copy or download it again"
    case .malformed(let file, let offset, let reason):
      "\(oneLine(file)) is damaged\(offset.map { " at byte \($0)" } ?? ""): \(reason)"
    case .shapeMismatch(let tensor, let expected, let found, let file):
      "\(oneLine(file)): tensor \(quoted(tensor)) has shape \(found) where \(expected) is needed: "
        + "check that config.json belongs to these weights"
    case .missingTensor(let name, let file):
      "\(oneLine(file)) has no tensor \(quoted(name)): check that config.json belongs to these weights"
    case .unexpectedTensors(let names, let file):
      "\(oneLine(file)) holds \(names.count) tensor\(names.count == 1 ? "" : "s") the model has no place for: "
        + names.prefix(5).map(quoted).joined(separator: ", ") + (names.count > 5 ? ", …" : "")
        + "; check that config.json belongs to these weights"
    case .unsupported(let file, let reason, let hint):
      "\(oneLine(file)): \(reason); \(hint)"
    case .notFinite(let tensor, let index, let file):
      "\(oneLine(file)): tensor \(quoted(tensor)) is not a finite number at index \(index): "
        + "the weights are damaged or training diverged; use an earlier checkpoint"
    case .outOfRange(let tensor, let index, let value, let elementType):
      "tensor \(quoted(tensor)) is \(value) at index \(index), too large for \(elementType.rawValue): save as F32"
    case .invalidTensor(let name, let reason):
      "tensor \(quoted(name)) cannot be written: \(reason)"
    case .io(let action, let path, let reason):
      "cannot \(action) \(oneLine(path)): \(reason)"
    }
  }

  /// The same line as ``description``.
  public var errorDescription: String? { description }
}

/// A name from a file, quoted for a message: control characters escaped, cut at 120 scalars.
func quoted(_ name: String) -> String {
  var text = ""
  for (count, scalar) in name.unicodeScalars.enumerated() {
    if count == 120 { return "\"\(text)…\"" }
    text += escaped(scalar)
  }
  return "\"\(text)\""
}

/// A path with everything that could break a line escaped.
func oneLine(_ path: String) -> String {
  path.unicodeScalars.reduce(into: "") { $0 += escaped($1) }
}

private func escaped(_ scalar: Unicode.Scalar) -> String {
  switch scalar.properties.generalCategory {
  case .control, .format, .lineSeparator, .paragraphSeparator: scalar.escaped(asASCII: true)
  default: String(scalar)
  }
}
