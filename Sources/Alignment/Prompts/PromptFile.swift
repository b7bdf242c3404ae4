import ChatTemplates
import Checkpoints
public import Foundation
import JSON
import Runs

extension PromptSet {
  /// The largest file that is read: 256 MiB.
  static let largestFile = 256 << 20
  /// The largest `.json` file, which is held as a whole: 16 MiB.
  private static let largestJSON = 16 << 20
  /// The longest prompt: 1 MiB.
  private static let longestPrompt = 1 << 20
  /// The most prompts.
  private static let mostPrompts = 1_000_000

  /// The prompts of a file, a pipe or standard input, by the end of its name or, where that says nothing, by how it begins.
  ///
  /// - `.jsonl`: an object a line, or one after the other; the prompt is under the key `prompt`, or else `messages`: a text, or a list of messages with `role` and
  ///   `content`. What the assistant says at the end of such a list is left out: it is to be found anew.
  ///   What else a message holds (`tool_calls`, `name`, …) and the object's `tools`, `documents` and `chat_template_kwargs` are given
  ///   to the chat template.
  /// - `.json`: a list of such objects, or of texts; or an object a line.
  /// - `.csv`, and `.tsv` with tabs: a header, then rows (RFC 4180); the prompt is in the column `prompt`.
  /// - any other name: a prompt a line or, where lines read `<|endoftext|>`, documents between them; JSON objects are told by
  ///   the first.
  ///
  /// A byte order mark is not part of a file's text. Prompts that stand several times are kept.
  ///
  /// - Parameter column: another key or column that holds the prompt.
  /// - Throws: ``AlignmentError/text(reason:)`` that names the file and line: for a file that cannot be read, is not UTF-8 or too
  ///   large, for an empty prompt, and for what is no prompt.
  public init(file: URL, column: String? = nil) throws {
    let path = displayName(file)
    let isStream = isStream(file)
    let data: Data
    do {
      data = try readFile(file, limit: Self.largestFile)
    } catch {
      throw AlignmentError.text(reason: "\(path) cannot be read: \(error)")
    }
    try self.init(contents: data, path: path, column: column, isStream: isStream)
  }

  /// See ``init(file:column:)``; `path` is what errors call the file.
  package init(contents: Data, path: String, column: String?, isStream: Bool = false) throws {
    guard let format = PromptFormat(name: path, bytes: contents, column: column, isStream: isStream) else {
      throw AlignmentError.text(
        reason: "\(path) is in no format that prompts are read from; write them as .jsonl, .csv, .tsv or .txt")
    }
    let limit = format == .jsonList ? Self.largestJSON : Self.largestFile
    guard contents.count <= limit else {
      throw AlignmentError.text(
        reason: "\(path) has \(contents.count >> 20) MiB, more than the \(limit >> 20) MiB that are read"
          + (format == .jsonList ? "; put an object on each line of a .jsonl file instead" : ""))
    }
    var reader = PromptReader(path: path, column: column, contents)
    try reader.checkText()
    switch format {
    case .jsonLines: try reader.readJSONLines()
    case .jsonList: try reader.readJSONList()
    case .csv: try reader.readTable(separator: ",")
    case .tsv: try reader.readTable(separator: "\t")
    case .text: try reader.readText()
    }
    guard !reader.prompts.isEmpty else { throw AlignmentError.text(reason: "\(path) holds no prompts") }
    self.init(reader.prompts)
  }

  /// Reads one file; nothing in it can make this trap, and memory is that of the prompts.
  private struct PromptReader {
    let path: String
    let column: String?
    let bytes: Data
    var prompts: [Prompt] = []

    init(path: String, column: String?, _ contents: Data) {
      self.path = path
      self.column = column
      bytes = contents.starts(with: [0xEF, 0xBB, 0xBF]) ? contents.dropFirst(3) : contents
    }

    func failure(_ line: Int, _ reason: String) -> AlignmentError { failure(at: "line \(line)", reason) }

    func failure(at place: String, _ reason: String) -> AlignmentError {
      .text(reason: "\(path), \(place): \(reason)")
    }

    var lines: FileLines { FileLines(bytes) }

    /// Refuses what is not UTF-8.
    func checkText() throws {
      for line in lines where String(validating: line.bytes, as: UTF8.self) == nil {
        throw failure(line.number, "this is not UTF-8; \(utf8Advice)")
      }
    }

    mutating func append(_ text: String, line: Int) throws { try append(text, at: "line \(line)") }

    private mutating func append(_ text: String, names: [TemplateData.Member] = [], at place: String) throws {
      guard text.utf8.count <= PromptSet.longestPrompt else {
        throw failure(at: place, "a prompt of \(text.utf8.count) bytes; \(PromptSet.longestPrompt) at most are read")
      }
      guard text.contains(where: { !$0.isWhitespace }) else { throw failure(at: place, "the prompt is empty") }
      try append(.text(text), names: names, at: place)
    }

    private mutating func append(_ content: Content, names: [TemplateData.Member] = [], at place: String) throws {
      guard prompts.count < PromptSet.mostPrompts else {
        throw failure(at: place, "this is prompt \(PromptSet.mostPrompts + 1), more than are read")
      }
      prompts.append(Prompt(content, names: names, origin: "\(path), \(place)"))
    }

    // MARK: - Text

    mutating func readText() throws {
      if column != nil {
        throw AlignmentError.text(
          reason: "\(path) has no columns; --prompt-column is for .jsonl, .json, .csv and .tsv files")
      }
      if lines.contains(where: { isDocumentSeparator($0.bytes) }) {
        try readDocuments()
        return
      }
      var blank: Int?
      for line in lines {
        // Blank lines at the end of the file are no prompts.
        if line.bytes.isEmpty {
          blank = blank ?? line.number
        } else if let blank {
          throw failure(
            blank, "the line is empty; give a prompt a line, or put lines that read <|endoftext|> between documents")
        } else {
          try append(String(decoding: line.bytes, as: UTF8.self), line: line.number)
        }
      }
    }

    /// Documents between lines that separate them; line breaks around a document are not part of it.
    private mutating func readDocuments() throws {
      var first: FileLines.Element?
      var end = bytes.startIndex
      func document() -> (text: String, line: Int)? {
        // As the file has it, the ends of its lines included.
        first.map { (String(decoding: bytes[$0.bytes.startIndex..<end], as: UTF8.self), $0.number) }
      }
      for line in lines {
        if isDocumentSeparator(line.bytes) {
          if let (text, number) = document() { try append(text, line: number) }
          first = nil
        } else if !line.bytes.isEmpty {
          first = first ?? line
          end = line.bytes.endIndex
        }
      }
      if let (text, number) = document() { try append(text, line: number) }
    }

    // MARK: - JSON

    mutating func readJSONLines() throws {
      // Where the first line is no object by itself, objects go over several lines, as jq prints them.
      if let first = lines.first(where: { !$0.bytes.allSatisfy(PromptFormat.isBlank) }),
        first.bytes.contains(UInt8(ascii: "{")), (try? parse(first.bytes, first.number)) == nil
      {
        for object in JSONObjects(bytes) {
          try append(try parse(object.bytes, object.line), at: "line \(object.line)")
        }
        return
      }
      for line in lines where line.bytes.contains(where: { !PromptFormat.isBlank($0) }) {
        guard line.bytes.count <= PromptSet.largestJSON else {
          throw failure(
            line.number, "the line has more than the \(PromptSet.largestJSON >> 20) MiB that are read at once")
        }
        try append(try parse(line.bytes, line.number), at: "line \(line.number)")
      }
    }

    mutating func readJSONList() throws {
      guard case .array(let elements) = try parse(bytes, 1) else {
        throw failure(1, "a list of objects with prompts is needed")
      }
      for (index, element) in elements.enumerated() { try append(element, at: "element \(index + 1)") }
    }

    private func parse(_ text: Data, _ line: Int) throws -> JSONValue {
      do {
        return try JSONValue(parsing: [UInt8](text))
      } catch let problem as JSONError {
        throw failure(line, "not valid JSON: \(problem)")
      }
    }

    /// Appends the prompt of an object.
    private mutating func append(_ value: JSONValue, at place: String) throws {
      var prompt = value
      var names: [TemplateData.Member] = []
      if case .object(let members) = value {
        let key = column ?? (value["prompt"] != nil ? "prompt" : "messages")
        guard let found = value[key] else {
          let keys = Self.list(members.map(\.key))
          throw failure(
            at: place, "there is no key '\(column ?? "prompt")', but \(keys); name one with --prompt-column")
        }
        prompt = found
        names = try templateNames(value, at: place)
      } else if let column {
        throw failure(at: place, "this is no object, so it has no key '\(column)'")
      }
      switch prompt {
      case .string(let text): try append(text, names: names, at: place)
      case .array(let list): try append(.conversation(try messages(list, at: place)), names: names, at: place)
      default: throw failure(at: place, "there is no prompt: a text or a list of messages is needed")
      }
    }

    private func messages(_ list: [JSONValue], at place: String) throws -> [ChatMessage] {
      var size = 0
      var messages = try list.enumerated().map { index, value in
        guard case .object(let members) = value, let role = value["role"]?.stringValue, !role.isEmpty else {
          throw failure(at: place, "message \(index + 1) needs a role and a content, both texts")
        }
        let content = value["content"]?.stringValue
        // A call of tools need not say anything, and some templates take content in parts.
        let isContentElsewhere = value["tool_calls"] != nil || (value["content"]?.isList ?? false)
        guard content != nil || isContentElsewhere else {
          throw failure(at: place, "message \(index + 1) needs a role and a content, both texts")
        }
        let kept = members.filter { $0.key != "role" && ($0.key != "content" || content == nil) }
        var more = kept.map { TemplateData.Member($0.key, $0.value.templateData) }
        if content == nil, value["content"] == nil { more.append(TemplateData.Member("content", .null)) }
        size += role.utf8.count + (content?.utf8.count ?? 0) + more.reduce(0) { $0 + $1.key.utf8.count + $1.value.size }
        return ChatMessage(role: role, content: content ?? "", members: more)
      }
      guard size <= PromptSet.longestPrompt else {
        throw failure(at: place, "a conversation of \(size) bytes; \(PromptSet.longestPrompt) at most are read")
      }
      while messages.last?.role == "assistant" { messages.removeLast() }
      guard !messages.isEmpty else { throw failure(at: place, "the conversation has nothing to answer") }
      return messages
    }

    /// What an object holds for the chat template.
    private func templateNames(_ object: JSONValue, at place: String) throws -> [TemplateData.Member] {
      var names: [TemplateData.Member] = []
      for key in PromptSet.templateKeys where column != key {
        switch object[key] {
        case nil, .null?: break
        case .object(let members)? where key == "chat_template_kwargs":
          for member in members { names.append(TemplateData.Member(member.key, member.value.templateData)) }
        case .array(let list)? where key != "chat_template_kwargs":
          names.append(TemplateData.Member(key, .list(list.map(\.templateData))))
        default:
          throw failure(
            at: place, "'\(key)' must be " + (key == "chat_template_kwargs" ? "an object of names" : "a list"))
        }
      }
      if let name = names.first(where: { $0.key == "messages" || $0.key == "add_generation_prompt" }) {
        throw failure(at: place, "'\(name.key)' in chat_template_kwargs is not supported: it is the program's own")
      }
      let size = names.reduce(0) { $0 + $1.key.utf8.count + $1.value.size }
      guard size <= PromptSet.longestPrompt else {
        throw failure(at: place, "\(size) bytes for the chat template; \(PromptSet.longestPrompt) at most are read")
      }
      return names
    }

    /// Some names for an error.
    private static func list(_ names: [String]) -> String {
      let shown = names.prefix(8).map { "'\($0.prefix(40))'" }.joined(separator: ", ")
      return names.isEmpty ? "no key at all" : shown + (names.count > 8 ? ", …" : "")
    }

    // MARK: - Tables

    mutating func readTable(separator: Unicode.Scalar) throws {
      var table = CSVReader(bytes, separator: UInt8(ascii: separator)) { [path] line, reason in
        AlignmentError.text(reason: "\(path), line \(line): \(reason)")
      }
      guard let header = try table.nextRow() else { return }
      let name = column ?? "prompt"
      let places = header.fields.indices.filter { header.fields[$0] == name }
      guard let place = places.first, places.count == 1 else {
        let columns = Self.list(header.fields)
        throw failure(
          header.line,
          places.isEmpty
            ? "there is no column '\(name)', but \(columns); name one with --prompt-column"
            : "the column '\(name)' stands \(places.count) times")
      }
      if let name = header.fields.first(where: { $0 != name && PromptSet.templateKeys.contains($0) }) {
        throw failure(header.line, "the column '\(name)' is not read from CSV; give it in a .jsonl file")
      }
      while let row = try table.nextRow() {
        guard row.fields.count == header.fields.count else {
          throw failure(row.line, "\(row.fields.count) fields, where the header has \(header.fields.count)")
        }
        try append(row.fields[place], line: row.line)
      }
    }
  }
}

extension JSONValue {
  fileprivate var isList: Bool { if case .array = self { true } else { false } }

  /// The value as a chat template is given it.
  fileprivate var templateData: TemplateData {
    switch self {
    case .null: .null
    case .bool(let value): .bool(value)
    case .integer(let value): .integer(value)
    case .unsigned(let value): .double(Double(value))
    case .number(let value): .double(value)
    case .string(let text): .string(text)
    case .array(let elements): .list(elements.map(\.templateData))
    case .object(let members): .object(members.map { TemplateData.Member($0.key, $0.value.templateData) })
    }
  }
}

/// The lines of a file's bytes with their numbers, from 1; the ends of lines, LF or CR LF, are left out.
private struct FileLines: Sequence, IteratorProtocol {
  typealias Element = (number: Int, bytes: Data)

  private let bytes: Data
  private var start: Data.Index
  private var number = 0

  init(_ bytes: Data) {
    self.bytes = bytes
    start = bytes.startIndex
  }

  mutating func next() -> Element? {
    guard start < bytes.endIndex else { return nil }
    let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.endIndex
    let line = bytes[start..<end]
    start = end < bytes.endIndex ? end + 1 : end
    number += 1
    return (number, line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
  }
}
