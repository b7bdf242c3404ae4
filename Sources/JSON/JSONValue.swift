/// Any JSON value; an object keeps the order of its members.
public enum JSONValue: Sendable, Equatable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A whole number written without point or exponent.
  case integer(Int)
  /// A whole number above `Int.max`, such as a seed may be.
  case unsigned(UInt64)
  /// Any other number.
  case number(Double)
  /// A string.
  case string(String)
  /// An array.
  case array([JSONValue])
  /// An object, its members in order.
  case object([Member])

  /// A key and its value.
  public struct Member: Sendable, Equatable {
    /// The key.
    public let key: String
    /// The value.
    public let value: JSONValue

    /// A member of an object.
    public init(_ key: String, _ value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  /// The value of the member named `key`, nil where there is none or this is no object; of a key given twice the last one
  /// counts, as in Python and JavaScript.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.last { $0.key.utf8.elementsEqual(key.utf8) }?.value
  }

  /// A whole number of at least 0, exactly.
  public init(_ value: UInt64) { self = Int(exactly: value).map { .integer($0) } ?? .unsigned(value) }

  /// The string, where it is one.
  public var stringValue: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// The number, where it is one.
  public var doubleValue: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .unsigned(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }

  /// The whole number of at least 0, where it is one; never a rounded one.
  public var unsignedValue: UInt64? {
    switch self {
    case .integer(let value): UInt64(exactly: value)
    case .unsigned(let value): value
    default: nil
    }
  }

  /// The whole number, where it is one.
  public var integerValue: Int? {
    switch self {
    case .integer(let value): value
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }

  /// Parses JSON text.
  ///
  /// - Throws: ``JSONError``.
  public init(parsing bytes: [UInt8]) throws {
    self = try bytes.withUnsafeBufferPointer { try JSONValue(parsing: $0) }
  }

  /// Parses JSON text.
  ///
  /// - Throws: ``JSONError``.
  package init(parsing bytes: UnsafeBufferPointer<UInt8>) throws {
    var scanner = JSONScanner(bytes)
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { throw scanner.problem("a byte order mark stands before the content") }
    self = try JSONValue(&scanner)
    try scanner.expectEnd()
  }

  /// The JSON text in UTF-8; `pretty` puts each member on a line of its own, indented by two spaces.
  ///
  /// - Throws: ``JSONError`` for a number that JSON cannot hold.
  public func encoded(pretty: Bool = false) throws -> [UInt8] {
    var writer = JSONWriter()
    write(to: &writer, name: "the value", indent: pretty ? 0 : nil)
    if let field = writer.notFinite {
      throw JSONError(reason: "\(field) is not a finite number, which JSON cannot hold: correct the value", offset: nil)
    }
    return writer.bytes
  }

  /// Reads one value.
  package init(_ scanner: inout JSONScanner) throws {
    switch scanner.peek() {
    case UInt8(ascii: "{"):
      var members: [Member] = []
      try scanner.members { scanner, key, _ in members.append(Member(key, try JSONValue(&scanner))) }
      self = .object(members)
    case UInt8(ascii: "["):
      var elements: [JSONValue] = []
      try scanner.array { elements.append(try JSONValue(&$0)) }
      self = .array(elements)
    case UInt8(ascii: "\""): self = .string(try scanner.string())
    case UInt8(ascii: "t") where scanner.skip(word: "true"): self = .bool(true)
    case UInt8(ascii: "f") where scanner.skip(word: "false"): self = .bool(false)
    case UInt8(ascii: "n") where scanner.skip(word: "null"): self = .null
    default:
      var whole = scanner
      if let value = try? whole.integer(Int.self) {
        scanner = whole
        self = .integer(value)
        return
      }
      whole = scanner
      if let value = try? whole.integer(UInt64.self) {
        scanner = whole
        self = .unsigned(value)
      } else {
        self = .number(try scanner.double())
      }
    }
  }

  private func write(to writer: inout JSONWriter, name: String, indent: Int?) {
    switch self {
    case .null: writer.raw("null")
    case .bool(let value): writer.raw(value ? "true" : "false")
    case .integer(let value): writer.integer(value)
    case .unsigned(let value): writer.integer(value)
    case .number(let value): writer.number(value, field: name)
    case .string(let text): writer.string(text)
    case .array(let elements):
      writer.raw("[")
      for (index, element) in elements.enumerated() {
        if index > 0 { writer.raw(",") }
        line(&writer, indent.map { $0 + 1 })
        element.write(to: &writer, name: "\(name), element \(index + 1)", indent: indent.map { $0 + 1 })
      }
      if !elements.isEmpty { line(&writer, indent) }
      writer.raw("]")
    case .object(let members):
      writer.raw("{")
      for (index, member) in members.enumerated() {
        if index > 0 { writer.raw(",") }
        line(&writer, indent.map { $0 + 1 })
        writer.string(member.key)
        writer.raw(":")
        if indent != nil { writer.raw(" ") }
        member.value.write(to: &writer, name: member.key, indent: indent.map { $0 + 1 })
      }
      if !members.isEmpty { line(&writer, indent) }
      writer.raw("}")
    }
  }

  private func line(_ writer: inout JSONWriter, _ indent: Int?) {
    guard let indent else { return }
    writer.raw("\n")
    for _ in 0..<indent { writer.raw("  ") }
  }
}

extension JSONValue: Codable {
  private struct MemberKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { return nil }
  }

  /// Decodes any value; the order of an object's members is the decoder's.
  public init(from decoder: any Decoder) throws {
    if let container = try? decoder.container(keyedBy: MemberKey.self) {
      self = .object(
        try container.allKeys.map { Member($0.stringValue, try container.decode(JSONValue.self, forKey: $0)) })
      return
    }
    if var container = try? decoder.unkeyedContainer() {
      var elements: [JSONValue] = []
      while !container.isAtEnd { elements.append(try container.decode(JSONValue.self)) }
      self = .array(elements)
      return
    }
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode(UInt64.self) {
      self = .unsigned(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else {
      self = .string(try container.decode(String.self))
    }
  }

  /// Encodes the value; an encoder may reorder an object's members.
  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .object(let members):
      var container = encoder.container(keyedBy: MemberKey.self)
      for member in members { try container.encode(member.value, forKey: MemberKey(stringValue: member.key)) }
    case .array(let elements):
      var container = encoder.unkeyedContainer()
      for element in elements { try container.encode(element) }
    case .null:
      var container = encoder.singleValueContainer()
      try container.encodeNil()
    case .bool(let value):
      var container = encoder.singleValueContainer()
      try container.encode(value)
    case .integer(let value):
      var container = encoder.singleValueContainer()
      try container.encode(value)
    case .unsigned(let value):
      var container = encoder.singleValueContainer()
      try container.encode(value)
    case .number(let value):
      var container = encoder.singleValueContainer()
      try container.encode(value)
    case .string(let value):
      var container = encoder.singleValueContainer()
      try container.encode(value)
    }
  }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  /// A string.
  public init(stringLiteral value: String) { self = .string(value) }
  /// A whole number.
  public init(integerLiteral value: Int) { self = .integer(value) }
  /// A number.
  public init(floatLiteral value: Double) { self = .number(value) }
  /// A truth value.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// An array.
  public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  /// An object with its members in the order written.
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(elements.map { Member($0.0, $0.1) })
  }
}
