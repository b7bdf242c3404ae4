/// What the tokenizers need to know of each Unicode scalar, as Hugging Face's library sees it.
///
/// Swift's own properties would follow the Unicode version of the system; the reference mixes several (its regular
/// expressions are of Unicode 16, lower case of 17, its categories of an older one). The tables were therefore asked of the
/// reference, scalar by scalar.
struct ScalarClass: OptionSet, Sendable {
  let rawValue: UInt16
  static let letter = ScalarClass(rawValue: 1)
  static let number = ScalarClass(rawValue: 2)
  static let whitespace = ScalarClass(rawValue: 4)
  /// A digit for the pre-tokenizer that isolates digits.
  static let digit = ScalarClass(rawValue: 8)
  /// Removed by BERT's clean_text.
  static let control = ScalarClass(rawValue: 16)
  /// Punctuation for BERT.
  static let punctuation = ScalarClass(rawValue: 32)
  /// Set off by BERT's handle_chinese_chars.
  static let chinese = ScalarClass(rawValue: 64)
  /// Part of a word for added tokens that must be whole words.
  static let word = ScalarClass(rawValue: 128)
  /// Removed by BERT's strip_accents.
  static let stripped = ScalarClass(rawValue: 256)
  /// Decomposed by BERT's strip_accents.
  static let decomposed = ScalarClass(rawValue: 512)
  /// Has a lower case.
  static let upper = ScalarClass(rawValue: 1024)
  /// A combining mark that strip_accents keeps, and may have to reorder.
  static let mark = ScalarClass(rawValue: 2048)
  /// Removed by strip_accents, yet marks are not reordered across it.
  static let strippedStarter = ScalarClass(rawValue: 4096)

  /// What the GPT-2 pre-tokenizer distinguishes.
  static let split: ScalarClass = [.letter, .number, .whitespace]
}

/// The classes and mappings of all scalars, built once from the compact tables.
struct UnicodeClasses: Sendable {
  static let shared = UnicodeClasses()

  private let classes: [ScalarClass]
  private let decompositions: [UInt32: [UInt32]]
  private let lowercase: [UInt32: [UInt32]]
  private let marks: [UInt32: UInt8]

  /// The classes of a scalar; every scalar value has some, maybe none.
  @inline(__always)
  subscript(scalar: UInt32) -> ScalarClass { classes[Int(scalar)] }

  /// What strip_accents leaves of a scalar.
  func decomposition(_ scalar: UInt32) -> [UInt32] {
    guard scalar < 0xAC00 || scalar > 0xD7A3 else {
      let index = scalar - 0xAC00
      let (lead, vowel, tail) = (0x1100 + index / 588, 0x1161 + index % 588 / 28, 0x11A7 + index % 28)
      return tail == 0x11A7 ? [lead, vowel] : [lead, vowel, tail]
    }
    return decompositions[scalar] ?? [scalar]
  }

  func lowercase(_ scalar: UInt32) -> [UInt32] { lowercase[scalar] ?? [scalar] }

  /// The canonical combining class of a mark that strip_accents keeps, otherwise 0.
  func combiningClass(_ scalar: UInt32) -> UInt8 { marks[scalar] ?? 0 }

  private init() {
    var classes = [ScalarClass](repeating: [], count: 0x110000)
    typealias Tables = UnicodeRangeTables
    let sets: [(String, ScalarClass)] = [
      (Tables.letters, .letter), (Tables.numbers, [.number, .digit]), (Tables.whitespace, .whitespace),
      (Tables.controls, .control), (Tables.punctuation, .punctuation), (Tables.chinese, .chinese),
      (Tables.words, .word), (Tables.stripped, .stripped), (Tables.strippedStarters, .strippedStarter),
    ]
    for (table, set) in sets {
      for range in Self.ranges(table) {
        for scalar in range { classes[Int(scalar)].formUnion(set) }
      }
    }
    for range in Self.ranges(Tables.digits) {
      for scalar in range { classes[Int(scalar)].formSymmetricDifference(.digit) }
    }
    decompositions = Self.mappings(UnicodeMappingTables.decompositions)
    for scalar in decompositions.keys { classes[Int(scalar)].insert(.decomposed) }
    for scalar in 0xAC00...0xD7A3 { classes[scalar].insert(.decomposed) }
    var lowercase = Self.mappings(UnicodeMappingTables.longLowercase)
    for (scalar, lower) in Self.runs(UnicodeMappingTables.lowercase) { lowercase[scalar] = [lower] }
    for scalar in lowercase.keys { classes[Int(scalar)].insert(.upper) }
    marks = Self.mappings(UnicodeMappingTables.marks).mapValues { UInt8(truncatingIfNeeded: $0.first ?? 0) }
    for scalar in marks.keys { classes[Int(scalar)].insert(.mark) }
    self.lowercase = lowercase
    self.classes = classes
  }

  /// The words of a table, each as its numbers and the signs between them.
  private static func words(_ table: String) -> [[Int]] {
    table.utf8.split { $0 == 0x20 || $0 == 0x0A }.map { word in
      word.split { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ",") }.map { digits in
        var value = 0
        for digit in digits { value = value << 4 | Int(hexadecimalDigit(digit) ?? 0) }
        return digits.first == UInt8(ascii: "-") ? -value : value
      }
    }
  }

  private static func ranges(_ table: String) -> [Range<UInt32>] {
    var last = 0
    return words(table).map { word in
      let start = last + word[0]
      last = start + word[1]
      return UInt32(start)..<UInt32(last)
    }
  }

  /// What a table maps each scalar to.
  static func mappings(_ table: String) -> [UInt32: [UInt32]] {
    var last = 0
    var result: [UInt32: [UInt32]] = [:]
    for word in words(table) {
      last += word[0]
      result[UInt32(last)] = word.dropFirst().map { UInt32($0) }
    }
    return result
  }

  /// The runs of a table of classes: first scalar, how many, their class.
  static func classRuns(_ table: String) -> [(UInt32, UInt32, UInt32)] {
    var last = 0
    return words(table).map { word in
      let start = last + word[0]
      last = start + word[1]
      return (UInt32(start), UInt32(word[1]), UInt32(word[2]))
    }
  }

  private static func runs(_ table: String) -> [(UInt32, UInt32)] {
    var last = 0
    return words(table).flatMap { word in
      last += word[0]
      return (0..<word[1]).map { step in
        let scalar = last + step * word[2]
        return (UInt32(scalar), UInt32(scalar + word[3]))
      }
    }
  }
}

/// The scalar that starts at `offset` of valid UTF-8, and its length in bytes.
@inline(__always)
func decodeScalar(_ bytes: UnsafeBufferPointer<UInt8>, _ offset: Int) -> (scalar: UInt32, length: Int) {
  let lead = UInt32(bytes[offset])
  @inline(__always) func next(_ i: Int) -> UInt32 { UInt32(bytes[offset + i]) & 0x3F }
  if lead < 0x80 { return (lead, 1) }
  if lead < 0xE0 { return ((lead & 0x1F) << 6 | next(1), 2) }
  if lead < 0xF0 { return ((lead & 0x0F) << 12 | next(1) << 6 | next(2), 3) }
  return ((lead & 0x07) << 18 | next(1) << 12 | next(2) << 6 | next(3), 4)
}

/// The scalar that ends before `offset` of valid UTF-8, and its length in bytes.
func decodeScalar(_ bytes: UnsafeBufferPointer<UInt8>, before offset: Int) -> (scalar: UInt32, length: Int) {
  var start = offset - 1
  while start > 0 && bytes[start] & 0xC0 == 0x80 { start -= 1 }
  return decodeScalar(bytes, start)
}
