/// Reads a JSON object's members with errors that name the place.
struct JSONReader {
  let document: JSONDocument
  /// Where the object is ("model"), empty for the root.
  let path: String
  let members: [JSONMember]

  /// The root of `document`, which must be an object.
  init(_ document: JSONDocument) throws {
    try self.init(document, document.root, path: "")
  }

  init(_ document: JSONDocument, _ value: JSONValue, path: String) throws {
    guard case .object(let members) = value else {
      let what = path.isEmpty ? "the content" : path
      throw TokenizerError.invalid(file: document.file, reason: "\(what) must be an object")
    }
    self.document = document
    self.path = path
    self.members = members
  }

  func invalid(_ reason: String) -> TokenizerError { .invalid(file: document.file, reason: reason) }

  func unsupported(_ feature: String) -> TokenizerError { .unsupported(file: document.file, feature: feature) }

  func name(_ key: StaticString) -> String { path.isEmpty ? "\(key)" : "\(path).\(key)" }

  /// The value of `key`, `nil` where it is absent or null; of a name given twice the last one counts.
  func value(_ key: StaticString) -> JSONValue? {
    guard let member = members.last(where: { document.matches($0.name, key) }) else { return nil }
    if case .null = member.value { return nil }
    return member.value
  }

  func object(_ key: StaticString) throws -> JSONReader? {
    guard let value = value(key) else { return nil }
    return try JSONReader(document, value, path: name(key))
  }

  /// The members of the object `key`.
  func entries(_ key: StaticString) throws -> [JSONMember]? {
    try object(key)?.members
  }

  func array(_ key: StaticString) throws -> [JSONValue]? {
    guard let value = value(key) else { return nil }
    guard case .array(let elements) = value else { throw invalid("\(name(key)) must be a list") }
    return elements
  }

  func objects(_ key: StaticString) throws -> [JSONReader]? {
    try array(key)?.enumerated().map { try JSONReader(document, $1, path: "\(name(key))[\($0)]") }
  }

  func bool(_ key: StaticString) throws -> Bool? {
    guard let value = value(key) else { return nil }
    guard case .bool(let bool) = value else { throw invalid("\(name(key)) must be true or false") }
    return bool
  }

  func integer(_ key: StaticString) throws -> Int? {
    guard let value = value(key) else { return nil }
    guard case .integer(let integer) = value else { throw invalid("\(name(key)) must be a whole number") }
    return integer
  }

  func string(_ key: StaticString) throws -> String? {
    guard let value = value(key) else { return nil }
    guard case .string(let string) = value else { throw invalid("\(name(key)) must be a string") }
    return document.text(string)
  }

  func requiredString(_ key: StaticString) throws -> String {
    guard let string = try string(key) else { throw invalid("\(name(key)) is missing") }
    return string
  }

  /// The `type` of the object, empty where it has none.
  func type() throws -> String { try string("type") ?? "" }
}

/// A string's JSON spelling, quotes included: only what must be escaped is.
func jsonQuoted(_ text: String) -> String {
  var output: [UInt8] = [UInt8(ascii: "\"")]
  appendEscaped(text.utf8, to: &output)
  output.append(UInt8(ascii: "\""))
  return String(decoding: output, as: UTF8.self)
}

/// Appends the JSON spelling of a string's bytes, without quotes.
func appendEscaped(_ text: some Sequence<UInt8>, to output: inout [UInt8]) {
  for byte in text {
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"): output += [UInt8(ascii: "\\"), byte]
    case 0..<0x20:
      let digits = Array("0123456789abcdef".utf8)
      output += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    default: output.append(byte)
    }
  }
}
