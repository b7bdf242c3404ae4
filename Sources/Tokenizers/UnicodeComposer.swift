/// Unicode's normalisation form C in the reference's version of Unicode: letters and their accents become one scalar
/// where there is one, and accents stand in canonical order.
package struct UnicodeComposer: Sendable {
  /// Built once from the tables.
  package static let shared = UnicodeComposer()

  /// Full canonical decompositions, without Hangul.
  private let decompositions: [UInt32: [UInt32]]
  private let compositions: [UInt64: UInt32]
  /// The canonical combining classes that are not 0.
  private let orders: [UInt32: UInt8]
  /// By scalar: whether it can change, or change what stands before it. The others are starters that stay.
  private let needsWork: [Bool]

  private init() {
    typealias Tables = UnicodeNormalizationTables
    let pairs = UnicodeClasses.mappings(Tables.compositions)
    var decompositions = UnicodeClasses.mappings(Tables.decompositions)
    var orders: [UInt32: UInt8] = [:]
    for (first, count, order) in UnicodeClasses.classRuns(Tables.combiningClasses) {
      for scalar in first..<(first + count) { orders[scalar] = UInt8(truncatingIfNeeded: order) }
    }
    var needsWork = [Bool](repeating: false, count: 0x30000)
    for scalar in decompositions.keys { needsWork[Int(scalar)] = true }
    for scalar in orders.keys { needsWork[Int(scalar)] = true }
    for pair in pairs.values { needsWork[Int(pair[1])] = true }
    // Hangul's vowels and final consonants.
    for range in [0x1161..<0x1176, 0x11A8..<0x11C3] {
      for scalar in range { needsWork[scalar] = true }
    }
    var compositions: [UInt64: UInt32] = [:]
    for (composed, pair) in pairs {
      compositions[MergeTable.pair(Int32(pair[0]), Int32(pair[1]))] = composed
      // The first of a pair may be composed itself.
      var parts = [pair[1]]
      var first = pair[0]
      while let more = pairs[first] {
        parts.append(more[1])
        first = more[0]
      }
      decompositions[composed] = [first] + parts.reversed()
    }
    self.decompositions = decompositions
    self.compositions = compositions
    self.orders = orders
    self.needsWork = needsWork
  }

  @inline(__always)
  private func changes(_ scalar: UInt32) -> Bool { scalar < 0x30000 && needsWork[Int(scalar)] }

  /// The offset before which nothing of `text` changes, `nil` if nothing changes at all.
  func firstToCompose(_ text: UnsafeBufferPointer<UInt8>) -> Int? { next(in: text, from: 0) }

  /// The start of the first stretch at or after `offset` that can change: a starter and what follows it.
  private func next(in text: UnsafeBufferPointer<UInt8>, from offset: Int) -> Int? {
    var i = offset
    var starter = offset
    while i < text.count {
      // No scalar below U+0300, whose bytes begin with 0xCC, changes anything.
      if text[i] < 0xCC {
        starter = i
        i += text[i] < 0x80 ? 1 : 2
        continue
      }
      let (scalar, length) = decodeScalar(text, i)
      if changes(scalar) { return starter }
      starter = i
      i += length
    }
    return nil
  }

  /// The composed text.
  package func compose(_ text: UnsafeBufferPointer<UInt8>, from first: Int? = nil) -> [UInt8] {
    var output: [UInt8] = []
    output.reserveCapacity(text.count + 16)
    var copied = 0
    var stretch = first ?? next(in: text, from: 0)
    var parts: [(scalar: UInt32, order: UInt8)] = []
    while let start = stretch {
      output.append(contentsOf: text[copied..<start])
      var i = start
      parts.removeAll(keepingCapacity: true)
      repeat {
        let (scalar, length) = decodeScalar(text, i)
        if i > start && !changes(scalar) { break }
        for part in decompositions[scalar] ?? [scalar] { parts.append((part, orders[part] ?? 0)) }
        i += length
      } while i < text.count
      compose(&parts, into: &output)
      copied = i
      stretch = next(in: text, from: i)
    }
    output.append(contentsOf: text[copied...])
    return output
  }

  /// Orders the marks and composes what can be.
  private func compose(_ parts: inout [(scalar: UInt32, order: UInt8)], into output: inout [UInt8]) {
    var start = 0
    while start < parts.count {
      var end = start
      while end < parts.count && parts[end].order > 0 { end += 1 }
      if end - start > 1 {
        // Marks of one class keep their order.
        let marks = parts[start..<end].enumerated().sorted {
          ($0.element.order, $0.offset) < ($1.element.order, $1.offset)
        }
        for (i, mark) in marks.enumerated() { parts[start + i] = mark.element }
      }
      start = end + 1
    }
    var composed: [UInt32] = []
    var starter: Int?
    /// The class of the mark before, -1 right behind the starter.
    var last = -1
    for (scalar, order) in parts {
      if let starter, last < Int(order), let both = composition(composed[starter], scalar) {
        composed[starter] = both
        continue
      }
      composed.append(scalar)
      last = order == 0 ? -1 : Int(order)
      if order == 0 { starter = composed.count - 1 }
    }
    for scalar in composed { appendUTF8(scalar, to: &output) }
  }

  private func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
    if (0x1100..<0x1113).contains(first) && (0x1161..<0x1176).contains(second) {
      return 0xAC00 + ((first - 0x1100) * 21 + second - 0x1161) * 28
    }
    if (0xAC00..<0xD7A4).contains(first) && (first - 0xAC00) % 28 == 0 && (0x11A8..<0x11C3).contains(second) {
      return first + second - 0x11A7
    }
    return compositions[MergeTable.pair(Int32(first), Int32(second))]
  }
}
