/// Data that a template is given beside texts: what JSON can hold.
public indirect enum TemplateData: Sendable, Hashable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A whole number.
  case integer(Int)
  /// Any other number.
  case double(Double)
  /// A string.
  case string(String)
  /// A list.
  case list([TemplateData])
  /// An object, its members in order.
  case object([Member])

  /// A key and its value.
  public struct Member: Sendable, Hashable {
    /// The key.
    public var key: String
    /// The value.
    public var value: TemplateData

    /// A member of an object.
    public init(_ key: String, _ value: TemplateData) {
      self.key = key
      self.value = value
    }
  }

  /// The value in a template.
  ///
  /// - Throws: ``TemplateProblem`` for nesting that is too deep.
  var value: Value {
    get throws {
      switch self {
      case .null: return .none
      case .bool(let value): return .bool(value)
      case .integer(let value): return .integer(value)
      case .double(let value): return .double(value)
      case .string(let value): return .string(value)
      case .list(let items): return try .list(of: items.map { try $0.value })
      case .object(let members):
        return try .dictionary(of: members.map { (.string($0.key), try $0.value.value) })
      }
    }
  }

  /// About how many bytes it has as text.
  public var size: Int {
    switch self {
    case .null, .bool, .integer, .double: 8
    case .string(let text): text.utf8.count
    case .list(let items): items.reduce(8) { $0 + $1.size }
    case .object(let members): members.reduce(8) { $0 + $1.key.utf8.count + $1.value.size }
    }
  }
}

/// One turn of a conversation. Coded are its role and content.
public struct ChatMessage: Sendable, Hashable, Codable {
  /// Who speaks: `system`, `user` or `assistant` in most templates.
  public var role: String
  /// What is said; empty where ``members`` hold it in another form.
  public var content: String
  /// What else the turn holds, such as `tool_calls`; a `content` among it stands for ``content``.
  public var members: [TemplateData.Member] = []

  private enum CodingKeys: String, CodingKey {
    case role
    case content
  }

  /// A turn.
  public init(role: String, content: String, members: [TemplateData.Member] = []) {
    self.role = role
    self.content = content
    self.members = members
  }

  /// The turn as data, role and content first.
  var data: TemplateData {
    let hasContent = members.contains { $0.key == "content" }
    let first = [TemplateData.Member("role", .string(role))]
    return .object(first + (hasContent ? [] : [TemplateData.Member("content", .string(content))]) + members)
  }
}
