/// Which samples a page shows, and in which order.
struct SampleQuery: Sendable, Hashable {
  enum Sort: String, Sendable {
    case index
    case reward
    case kl
    case advantage
    case length
  }

  /// What is kept of an answer, so that leafing through it is free.
  struct Selection: Sendable, Hashable {
    /// nil: all steps.
    var step: Int?
    var text = ""
    var sort = Sort.index
    var isDescending = false
  }

  static let largestLimit = 500

  var selection = Selection()
  var offset = 0
  var limit = 50

  init() {}

  /// Reads the query of a request.
  ///
  /// - Throws: ``HTTPProblem`` for what cannot be meant.
  init(_ request: HTTPRequest) throws {
    if let step = request["step"], step != "all" {
      selection.step = try request.integer("step")
    }
    selection.text = request["q"] ?? ""
    if let name = request["sort"] {
      guard let sort = Sort(rawValue: name) else {
        throw HTTPProblem(400, "sort must be index, reward, kl, advantage or length")
      }
      selection.sort = sort
    }
    switch request["order"] {
    case nil: selection.isDescending = selection.sort != .index
    case "asc": selection.isDescending = false
    case "desc": selection.isDescending = true
    default: throw HTTPProblem(400, "order must be asc or desc")
    }
    offset = try request.integer("offset") ?? 0
    limit = min(try request.integer("limit") ?? 50, Self.largestLimit)
  }
}

extension SampleQuery.Selection {
  /// Orders rows; those without a number come last, equal ones stay in the order of the file.
  func sorted(_ positions: [Int32], rows: ContiguousArray<SampleRow>) -> [Int32] {
    if sort == .index { return isDescending ? positions.reversed() : positions }
    // Not a number sorts behind all others in both directions.
    let keys: [(key: Float, position: Int32)] = positions.map { position in
      let row = rows[Int(position)]
      let value: Float =
        switch sort {
        case .reward: row.reward
        case .kl: row.kl
        case .advantage: row.advantage
        case .length: Float(row.tokens)
        case .index: 0
        }
      return (value.isNaN ? .infinity : isDescending ? -value : value, position)
    }
    return keys.sorted { $0.key != $1.key ? $0.key < $1.key : $0.position < $1.position }.map(\.position)
  }
}

extension HTTPRequest {
  /// A whole number of at least 0 from the query; nil where it is missing.
  ///
  /// - Throws: ``HTTPProblem`` where it is something else.
  func integer(_ name: String) throws -> Int? {
    guard let text = self[name] else { return nil }
    guard text.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }), let value = Int(text) else {
      throw HTTPProblem(400, "\(name) must be a whole number of at least 0")
    }
    return value
  }
}
