public import Foundation
import Kernels

/// The documents of a text file, a pipe or standard input, separated by lines that read `<|endoftext|>`, with or without blanks
/// around it.
///
/// Line breaks around a document are not part of it, nor is a byte order mark at the start of the file; everything else
/// is, byte for byte. Empty documents are left out.
///
/// - Throws: ``AlignmentError`` where the file cannot be read, is not UTF-8, or is a list of records by its name.
public func readDocuments(_ file: URL) throws -> [String] {
  let name = displayName(file)
  if ["jsonl", "ndjson"].contains(file.pathExtension.lowercased()) {
    throw AlignmentError.text(
      reason: "\(name) holds JSON lines, and documents are plain text; to make them of a key such as text: "
        + #"jq -r '.text + "\n<|endoftext|>"'"#)
  }
  let data: Data
  do {
    // The bytes, the documents and their tokens are in memory together.
    data = try readFile(file, limit: MemoryLimit.current.bytes / 4)
  } catch {
    throw AlignmentError.text(reason: "\(name) cannot be read: \(error)")
  }
  return try documents(in: data, file: name)
}

/// Whether a line separates documents.
func isDocumentSeparator(_ line: Data) -> Bool {
  func isBlank(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0D].contains(byte) }
  guard let first = line.firstIndex(where: { !isBlank($0) }), let last = line.lastIndex(where: { !isBlank($0) }) else {
    return false
  }
  return line[first...last].elementsEqual("<|endoftext|>".utf8)
}

func documents(in data: Data, file: String) throws -> [String] {
  var documents: [String] = []
  let newline = UInt8(ascii: "\n")
  let carriageReturn = UInt8(ascii: "\r")
  var start = data.startIndex + (data.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0)
  func finish(at end: Int) throws {
    var range = start..<end
    while let first = range.first, data[first] == newline || data[first] == carriageReturn {
      range.removeFirst()
    }
    while let last = range.last, data[last] == newline || data[last] == carriageReturn { range.removeLast() }
    guard !range.isEmpty else { return }
    guard let text = String(validating: data[range], as: UTF8.self) else {
      throw AlignmentError.text(
        reason: "\(file) is not UTF-8 in the document that starts at byte \(range.lowerBound); \(utf8Advice)")
    }
    documents.append(text)
  }
  var lineStart = start
  while lineStart < data.endIndex {
    let lineEnd = data[lineStart...].firstIndex(of: newline) ?? data.endIndex
    if isDocumentSeparator(data[lineStart..<lineEnd]) {
      try finish(at: lineStart)
      start = min(lineEnd + 1, data.endIndex)
    }
    lineStart = lineEnd + 1
  }
  try finish(at: data.endIndex)
  return documents
}

/// What to do with text in another encoding.
let utf8Advice = "if it is Western European text: iconv -f WINDOWS-1252 -t UTF-8"
