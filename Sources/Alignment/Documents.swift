public import Foundation

/// The documents of a text file, separated by lines that read `<|endoftext|>`.
///
/// Line breaks around a document are not part of it; everything else is, byte for byte. Empty documents are left out.
///
/// - Throws: ``AlignmentError`` where the file cannot be read or is not UTF-8.
public func readDocuments(_ file: URL) throws -> [String] {
  let data: Data
  do {
    data = try Data(contentsOf: file)
  } catch {
    throw AlignmentError.text(reason: "\(file.path) cannot be read: \(reason(error))")
  }
  return try documents(in: data, file: file.path)
}

func documents(in data: Data, file: String) throws -> [String] {
  let separator = Array("<|endoftext|>".utf8)
  var documents: [String] = []
  let newline = UInt8(ascii: "\n")
  let carriageReturn = UInt8(ascii: "\r")
  var start = data.startIndex
  func finish(at end: Int) throws {
    var range = start..<end
    while let first = range.first, data[first] == newline || data[first] == carriageReturn {
      range.removeFirst()
    }
    while let last = range.last, data[last] == newline || data[last] == carriageReturn { range.removeLast() }
    guard !range.isEmpty else { return }
    guard let text = String(bytes: data[range], encoding: .utf8) else {
      throw AlignmentError.text(reason: "\(file) is not UTF-8 in the document that starts at byte \(range.lowerBound)")
    }
    documents.append(text)
  }
  var lineStart = data.startIndex
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

/// What the system said, without the domain and code around it.
func reason(_ error: any Error) -> String {
  let cocoa = error as NSError
  if let underlying = cocoa.userInfo[NSUnderlyingErrorKey] as? NSError, underlying.domain == NSPOSIXErrorDomain {
    return String(cString: strerror(Int32(underlying.code))).lowercased()
  }
  return cocoa.localizedDescription
}
