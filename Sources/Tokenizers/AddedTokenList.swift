/// A token as a file describes it, before it has an id.
struct AddedTokenEntry: Sendable {
  var content: [UInt8]
  var isSpecial = false
  var isWholeWord = false
  var stripsLeft = false
  var stripsRight = false
  /// Where the file does not say, special tokens are looked for in the text as it is, others in the normalised one.
  var isNormalized: Bool?

  init(content: [UInt8], isSpecial: Bool) {
    self.content = content
    self.isSpecial = isSpecial
  }

  /// Reads a string, which is a special token, or an object.
  init(_ document: JSONDocument, _ value: JSONValue, path: String) throws {
    if case .string(let text) = value {
      self.init(content: document.content(text), isSpecial: true)
      return
    }
    try self.init(JSONReader(document, value, path: path))
  }

  /// Reads an object.
  init(_ reader: JSONReader) throws {
    guard case .string(let text) = reader.value("content") else {
      throw reader.invalid("\(reader.name("content")) must be a string")
    }
    content = reader.document.content(text)
    isSpecial = try reader.bool("special") ?? false
    isWholeWord = try reader.bool("single_word") ?? false
    stripsLeft = try reader.bool("lstrip") ?? false
    stripsRight = try reader.bool("rstrip") ?? false
    isNormalized = try reader.bool("normalized")
  }
}

/// Gives added tokens their ids, as the reference does: that of the vocabulary, or the next that is free.
struct AddedTokenList {
  private let table: TokenTable
  private let invalid: (String) -> TokenizerError
  private var tokens: [AddedToken] = []
  private var places: [[UInt8]: Int] = [:]
  private var largest = -1

  /// An empty list; `invalid` makes an error of what is wrong with a token.
  init(_ table: TokenTable, invalid: @escaping (String) -> TokenizerError) {
    self.table = table
    self.invalid = invalid
  }

  /// The tokens, special ones first, as they are looked for.
  var ordered: [AddedToken] { tokens.filter(\.isSpecial) + tokens.filter { !$0.isSpecial } }

  func contains(_ content: [UInt8]) -> Bool { places[content] != nil }

  /// Adds a token of tokenizer.json; the last one of a spelling counts.
  mutating func add(_ entry: AddedTokenEntry, id stated: Int? = nil, path: String = "it") throws {
    if entry.content.isEmpty { return }
    let id = nextID(entry.content)
    guard id < TokenTable.idLimit else { throw invalid("there are too many tokens") }
    // The reference does not heed what the file says; a file that says something else would get wrong ids silently.
    if let stated, stated != id {
      throw invalid("\(path) has the id \(stated), but its place in the vocabulary is \(id)")
    }
    largest = max(largest, id)
    let token = AddedToken(
      content: entry.content, id: Int32(id), isSpecial: entry.isSpecial, isWholeWord: entry.isWholeWord,
      stripsLeft: entry.stripsLeft, stripsRight: entry.stripsRight,
      isNormalized: entry.isNormalized ?? !entry.isSpecial)
    if let place = places[entry.content] {
      tokens[place] = token
    } else {
      places[entry.content] = tokens.count
      tokens.append(token)
    }
  }

  /// Adds a token of another file: one that is in the list stays as it is, but may become special.
  mutating func addLater(_ entry: AddedTokenEntry, id stated: Int? = nil, path: String) throws {
    if let place = places[entry.content], tokens[place].isSpecial || !entry.isSpecial { return }
    let isKnown = contains(entry.content) || table.id(entry.content) >= 0
    try add(entry, id: isKnown ? nil : stated, path: path)
  }

  /// Makes a token of the list a special one, as it is otherwise.
  mutating func makeSpecial(_ content: [UInt8]) {
    if let place = places[content] { tokens[place].isSpecial = true }
  }

  private func nextID(_ content: [UInt8]) -> Int {
    if let place = places[content] { return Int(tokens[place].id) }
    let known = Int(table.id(content))
    return known >= 0 ? known : max(table.count, largest + 1)
  }
}

extension TokenizerConfiguration {
  /// Adds the tokens that the files beside tokenizer.json name.
  func add(to list: inout AddedTokenList) throws {
    let special = special.filter { !onlyNames.contains($0.key) }
    let names = special.values.map(\.content) + standardTokens.map { Array($0.content.utf8) }
    for (id, entry) in stated {
      var entry = entry
      if names.contains(entry.content) { entry.isSpecial = true }
      try list.addLater(
        entry, id: id, path: jsonQuoted(String(decoding: entry.content.prefix(80), as: UTF8.self)))
    }
    let standard = standardTokens.map { ($0.key, AddedTokenEntry(content: Array($0.content.utf8), isSpecial: true)) }
    let named = (special.map { ($0, $1) } + standard).sorted { Self.order($0.0) < Self.order($1.0) }
    // What is named more than once is as it is named last.
    let known = list
    for var entry in named.map(\.1) + extra where !known.contains(entry.content) {
      entry.isSpecial = true
      try list.add(entry)
    }
    for (_, entry) in named { list.makeSpecial(entry.content) }
  }

  private static func order(_ key: String) -> (Int, String) {
    (keys.firstIndex(of: key) ?? keys.count, key)
  }

  /// The tokens around a text: as tokenizer.json has it, unless the class says otherwise; where there is no tokenizer.json, what
  /// `add_bos_token` and `add_eos_token` say.
  ///
  /// - Parameter original: what tokenizer.json says; nil where there is none.
  func frame(_ original: SpecialTokenFrame?, added: [AddedToken], table: TokenTable) -> SpecialTokenFrame {
    func id(_ key: String) -> Int? {
      let standard = standardTokens.first { $0.key == key }.map { Array($0.content.utf8) }
      guard let content = special[key]?.content ?? standard else { return nil }
      if let token = added.first(where: { $0.content == content }) { return Int(token.id) }
      let id = Int(table.id(content))
      return id >= 0 ? id : nil
    }
    var frame = original ?? SpecialTokenFrame()
    if kind == .bert {
      guard let first = id("cls_token"), let last = id("sep_token") else { return frame }
      frame.before = [first]
      frame.after = [last]
    } else if original == nil {
      frame.before = addsBeginning == true ? [id("bos_token")].compactMap(\.self) : []
      frame.after = addsEnd == true ? [id("eos_token")].compactMap(\.self) : []
    }
    return frame
  }
}
