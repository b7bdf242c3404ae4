/// The special tokens that stand before and after every encoded text.
struct SpecialTokenFrame: Sendable, Equatable {
  var before: [Int] = []
  var after: [Int] = []

  init() {}

  /// Reads a tokenizer's `post_processor`; `nil` means none.
  init(_ reader: JSONReader?) throws {
    guard let reader else { return }
    switch try reader.type() {
    case "ByteLevel": break
    case "TemplateProcessing": try readTemplate(reader)
    case "BertProcessing", "RobertaProcessing":
      before = [try Self.pair(reader, "cls")]
      after = [try Self.pair(reader, "sep")]
    case "Sequence":
      for part in try reader.objects("processors") ?? [] {
        let inner = try SpecialTokenFrame(part)
        before = inner.before + before
        after += inner.after
      }
    case let other: throw reader.unsupported("the post-processor \(jsonQuoted(other))")
    }
  }

  /// `["[SEP]", 102]`.
  private static func pair(_ reader: JSONReader, _ key: StaticString) throws -> Int {
    guard let pair = try reader.array(key), pair.count == 2, case .integer(let id) = pair[1], isID(id) else {
      throw reader.invalid("\(reader.name(key)) must be a token and its id")
    }
    return id
  }

  private static func isID(_ id: Int) -> Bool { id >= 0 && id < TokenTable.idLimit }

  private mutating func readTemplate(_ reader: JSONReader) throws {
    guard let special = try reader.object("special_tokens"), let entries = try reader.entries("special_tokens") else {
      throw reader.invalid("\(reader.name("special_tokens")) is missing")
    }
    var idsByName: [[UInt8]: [Int]] = [:]
    for entry in entries {
      let path = special.path + "." + special.document.text(entry.name)
      let token = try JSONReader(special.document, entry.value, path: path)
      idsByName[special.document.content(entry.name)] = try (token.array("ids") ?? []).map { value in
        guard case .integer(let id) = value, Self.isID(id) else {
          throw token.invalid("\(token.name("ids")) must be ids")
        }
        return id
      }
    }
    var seenText = false
    for item in try reader.objects("single") ?? [] {
      if let token = try item.object("SpecialToken") {
        let name = try token.requiredString("id")
        guard let ids = idsByName[Array(name.utf8)] else {
          throw item.invalid("\(item.path) names \(jsonQuoted(name)), which special_tokens lacks")
        }
        if seenText { after += ids } else { before += ids }
      } else if try item.object("Sequence")?.string("id") == "A", !seenText {
        seenText = true
      } else {
        throw reader.unsupported("a template that is not special tokens around one text")
      }
    }
    guard seenText else { throw reader.invalid("\(reader.name("single")) must contain the text") }
  }

  /// All ids must be tokens: the model indexes its embedding by them.
  func validate(_ reader: JSONReader, contains: (Int) -> Bool) throws {
    for id in before + after where !contains(id) {
      throw reader.invalid("the post-processor adds the id \(id), which is not in the vocabulary")
    }
  }
}
