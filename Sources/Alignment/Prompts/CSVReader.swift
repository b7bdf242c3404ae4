import Foundation

/// Rows of comma-separated values as RFC 4180 has them: fields in double quotes may hold commas, line breaks and doubled quotes.
/// With tabs in the place of commas, the tab-separated values that spreadsheets and pandas write.
///
/// Lines may end in LF or CR LF; blank lines are skipped.
struct CSVReader {
  /// A row and the line that it begins on.
  struct Row: Equatable {
    var line: Int
    var fields: [String]
  }

  private let bytes: Data
  private var index: Data.Index
  private var line = 1
  private let separator: UInt8
  private let failure: (Int, String) -> AlignmentError

  /// A reader of a file's bytes, which are UTF-8; `failure` makes errors of a line and a reason.
  init(_ bytes: Data, separator: UInt8 = UInt8(ascii: ","), failure: @escaping (Int, String) -> AlignmentError) {
    self.bytes = bytes
    self.separator = separator
    self.failure = failure
    index = bytes.startIndex
  }

  private static let quote = UInt8(ascii: "\"")
  private static let newline = UInt8(ascii: "\n")
  private static let carriageReturn = UInt8(ascii: "\r")

  /// The most fields of a row.
  private static let mostFields = 10_000

  /// The next row; nil at the end.
  ///
  /// - Throws: an error for quotes that are not closed, or stand where none may.
  mutating func nextRow() throws -> Row? {
    while index < bytes.endIndex, skipLineEnd() {}
    guard index < bytes.endIndex else { return nil }
    var row = Row(line: line, fields: [])
    while row.fields.count < Self.mostFields {
      row.fields.append(index < bytes.endIndex && bytes[index] == Self.quote ? try quoted() : try plain())
      guard index < bytes.endIndex else { return row }
      if bytes[index] == separator {
        index += 1
      } else if skipLineEnd() {
        return row
      } else {
        throw failure(line, "text after a closing quote; double a quote that is part of a field")
      }
    }
    throw failure(line, "more than \(Self.mostFields) fields")
  }

  /// Moves past the end of a line, where it is next.
  private mutating func skipLineEnd() -> Bool {
    var end = index
    if end < bytes.endIndex, bytes[end] == Self.carriageReturn { end += 1 }
    guard end < bytes.endIndex, bytes[end] == Self.newline else {
      // A last line may end in a carriage return alone.
      guard end > index, end == bytes.endIndex else { return false }
      index = end
      return true
    }
    index = end + 1
    line += 1
    return true
  }

  private mutating func plain() throws -> String {
    let start = index
    while index < bytes.endIndex {
      let byte = bytes[index]
      if byte == separator || byte == Self.newline { break }
      if byte == Self.quote { throw failure(line, "a quote inside a field that does not begin with one") }
      index += 1
    }
    let field = bytes[start..<index]
    // The carriage return belongs to the end of the line.
    let isLast = index == bytes.endIndex || bytes[index] == Self.newline
    return String(
      decoding: isLast && field.last == Self.carriageReturn ? field.dropLast() : field, as: UTF8.self)
  }

  private mutating func quoted() throws -> String {
    let startLine = line
    var field: [UInt8] = []
    index += 1
    while index < bytes.endIndex {
      let byte = bytes[index]
      index += 1
      if byte == Self.quote {
        guard index < bytes.endIndex, bytes[index] == Self.quote else { return String(decoding: field, as: UTF8.self) }
        index += 1
      } else if byte == Self.newline {
        line += 1
      }
      field.append(byte)
    }
    throw failure(startLine, "the quote that opens here is never closed")
  }
}
