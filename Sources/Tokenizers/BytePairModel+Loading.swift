extension BytePairModel {
  /// Reads the `model` of a tokenizer.json.
  init(_ reader: JSONReader, table: TokenTable, alphabet: Alphabet) throws {
    if let dropout = reader.value("dropout") {
      switch dropout {
      case .integer(0), .number(0): break
      default: throw reader.unsupported("BPE dropout")
      }
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] as [StaticString] {
      if try reader.string(key)?.isEmpty == false { throw reader.unsupported(reader.name(key)) }
    }
    self.init(table: table, merges: try Self.merges(reader, table), alphabet: alphabet)
    ignoresMerges = try reader.bool("ignore_merges") ?? false
    fusesUnknown = try reader.bool("fuse_unk") ?? false
    if let unknown = try reader.string("unk_token") {
      let id = table.id(unknown)
      guard id >= 0 else { throw reader.invalid("model.unk_token \(jsonQuoted(unknown)) is not in the vocabulary") }
      unknownID = id
    }
  }

  /// Merges as "a b" or as ["a", "b"].
  private static func merges(_ reader: JSONReader, _ table: TokenTable) throws -> MergeTable {
    guard let list = try reader.array("merges") else { throw reader.invalid("model.merges is missing") }
    var builder = MergeBuilder(table: table, file: reader.document.file, capacity: list.count)
    let document = reader.document
    for value in list {
      switch value {
      case .string(let line): try document.withContent(line) { try builder.add(line: $0) }
      case .array(let pair):
        guard pair.count == 2, case .string(let left) = pair[0], case .string(let right) = pair[1] else {
          throw builder.malformed
        }
        try document.withContent(left) { left in
          try document.withContent(right) { right in try builder.add(left, right) }
        }
      default: throw builder.malformed
      }
    }
    return builder.merges
  }
}

/// Turns the spellings of merges into ids.
struct MergeBuilder {
  let table: TokenTable
  let file: String
  private(set) var merges: MergeTable
  private var rank: Int32 = 0

  init(table: TokenTable, file: String, capacity: Int) {
    self.table = table
    self.file = file
    merges = MergeTable(capacity: capacity)
  }

  /// The error of a merge that is not two tokens.
  var malformed: TokenizerError {
    .invalid(file: file, reason: "merge \(rank + 1) must be two tokens with one space between them")
  }

  /// Adds a merge "left right".
  mutating func add(line: UnsafeBufferPointer<UInt8>) throws {
    guard let space = line.firstIndex(of: 0x20), line[(space + 1)...].firstIndex(of: 0x20) == nil else {
      throw malformed
    }
    try add(UnsafeBufferPointer(rebasing: line[..<space]), UnsafeBufferPointer(rebasing: line[(space + 1)...]))
  }

  /// Adds a merge whose ids are known.
  mutating func add(_ merge: TokenizerVocabulary.Merge) {
    merges.set(merge.left, merge.right, rank: rank, id: merge.merged)
    rank += 1
  }

  /// Adds a merge.
  mutating func add(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) throws {
    let (first, second, merged) = (table.id(left), table.id(right), table.id(left, right))
    guard first >= 0 && second >= 0 && merged >= 0 else {
      let missing = first < 0 ? Array(left) : second < 0 ? Array(right) : Array(left) + Array(right)
      let name = jsonQuoted(String(decoding: missing.prefix(80), as: UTF8.self))
      throw TokenizerError.invalid(
        file: file, reason: "merge \(rank + 1) needs the token \(name), which the vocabulary lacks")
    }
    merges.set(first, second, rank: rank, id: merged)
    rank += 1
  }
}
