import Foundation
import JSON
import Runs

/// How a file's prompts are written: by the end of its name or, where that says nothing, by how it begins.
enum PromptFormat: String {
  /// A prompt a line, or documents between lines that read `<|endoftext|>`.
  case text = "txt"
  /// An object a line, or one after the other.
  case jsonLines = "jsonl"
  /// A list of objects or texts.
  case jsonList = "json"
  /// Comma-separated values with a header.
  case csv
  /// Tab-separated values with a header.
  case tsv

  /// The format of a file.
  ///
  /// - Parameter isStream: whether the bytes came from a pipe, whose name says nothing.
  /// - Returns: nil for a name of a format that holds prompts in some other way.
  init?(name: String, bytes: Data, column: String?, isStream: Bool) {
    let ending = isStream ? "" : name.split(separator: ".").last.map { $0.lowercased() } ?? ""
    switch ending {
    case "jsonl", "ndjson": self = .jsonLines
    case "json":
      // Many tools write an object a line under this name.
      self = bytes.first { !Self.isBlank($0) } == UInt8(ascii: "{") ? .jsonLines : .jsonList
    case "csv": self = .csv
    case "tsv", "tab": self = .tsv
    case "yaml", "yml", "toml", "xml", "html", "htm", "parquet", "xlsx", "xls", "ods", "md": return nil
    default:
      let line = bytes.drop { Self.isBlank($0) }.prefix { $0 != UInt8(ascii: "\n") }
      switch line.first {
      case UInt8(ascii: "{")
      where Self.isObject(line) || isStream && line.allSatisfy({ $0 == 0x7B || Self.isBlank($0) }):
        self = .jsonLines
      case UInt8(ascii: "[") where Self.isList(bytes, ofTexts: isStream): self = .jsonList
      default: self = isStream && column != nil ? .csv : .text
      }
    }
  }

  static func isBlank(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }

  private static func isObject(_ line: Data) -> Bool {
    guard case .object? = try? JSONValue(parsing: [UInt8](line)) else { return false }
    return true
  }

  /// Whether bytes are a list of objects or, where texts may be among them, of both.
  private static func isList(_ bytes: Data, ofTexts: Bool) -> Bool {
    guard bytes.count <= 16 << 20, case .array(let list)? = try? JSONValue(parsing: [UInt8](bytes)) else {
      return false
    }
    return !list.isEmpty
      && list.allSatisfy { value in
        switch value {
        case .object: true
        case .string: ofTexts
        default: false
        }
      }
  }
}

/// The JSON objects of a text, one after the other, on a line each or on several.
struct JSONObjects: Sequence, IteratorProtocol {
  /// An object's bytes and the line that it begins on.
  typealias Element = (line: Int, bytes: Data)

  private let bytes: Data
  private var index: Data.Index
  private var line = 1

  init(_ bytes: Data) {
    self.bytes = bytes
    index = bytes.startIndex
  }

  /// The bytes up to where as many brackets are closed as were opened, or to the end of the line where none is opened.
  mutating func next() -> Element? {
    while index < bytes.endIndex, PromptFormat.isBlank(bytes[index]) { advance() }
    guard index < bytes.endIndex else { return nil }
    let (start, startLine) = (index, line)
    var depth = 0
    var isText = false
    while index < bytes.endIndex {
      let byte = bytes[index]
      advance()
      if isText {
        if byte == UInt8(ascii: "\\"), index < bytes.endIndex { advance() } else if byte == 0x22 { isText = false }
        continue
      }
      switch byte {
      case 0x22: isText = true
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      default: break
      }
      if depth <= 0, byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") || byte == 0x0A { break }
    }
    return (startLine, bytes[start..<index])
  }

  private mutating func advance() {
    if bytes[index] == 0x0A { line += 1 }
    index += 1
  }
}
