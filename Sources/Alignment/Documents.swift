import Checkpoints
public import Foundation

/// The documents of a text file, separated by lines that read `<|endoftext|>`.
///
/// Line breaks around a document are not part of it, nor is a byte order mark at the start of the file; everything else
/// is, byte for byte. Empty documents are left out.
///
/// - Throws: ``AlignmentError`` where the file cannot be read or is not UTF-8.
public func readDocuments(_ file: URL) throws -> [String] {
  let data: Data
  do {
    data = try readFile(file)
  } catch {
    throw AlignmentError.text(reason: "\(file.path) cannot be read: \(error)")
  }
  return try documents(in: data, file: file.path)
}

func documents(in data: Data, file: String) throws -> [String] {
  let separator = Array("<|endoftext|>".utf8)
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
      throw AlignmentError.text(reason: "\(file) is not UTF-8 in the document that starts at byte \(range.lowerBound)")
    }
    documents.append(text)
  }
  var lineStart = start
  while lineStart < data.endIndex {
    let lineEnd = data[lineStart...].firstIndex(of: newline) ?? data.endIndex
    var line = data[lineStart..<lineEnd]
    if line.last == carriageReturn { line.removeLast() }
    if line.elementsEqual(separator) {
      try finish(at: lineStart)
      start = min(lineEnd + 1, data.endIndex)
    }
    lineStart = lineEnd + 1
  }
  try finish(at: data.endIndex)
  return documents
}

/// Why a file could not be read, in the system's words.
struct ReadingError: Error, CustomStringConvertible {
  var description: String
}

/// The bytes of a file.
func readFile(_ file: URL) throws -> Data {
  var isFolder: ObjCBool = false
  if FileManager.default.fileExists(atPath: file.path, isDirectory: &isFolder), isFolder.boolValue {
    throw ReadingError(description: "Is a directory")
  }
  do {
    return try MappedBytes(file: file).data
  } catch CheckpointError.missingFile {
    throw ReadingError(description: "No such file or directory")
  } catch CheckpointError.io(_, _, let reason) {
    throw ReadingError(description: reason)
  }
}
