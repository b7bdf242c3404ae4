/// Text made safe for HTML and XML, as content and inside quoted attributes; characters that XML forbids are replaced.
///
/// Nothing in it turns the text after it around, and no heap of marks covers the lines above.
package func escaped(_ text: String) -> String {
  var result: [UInt8] = []
  result.reserveCapacity(text.utf8.count + 16)
  let closed = closedIsolates(text)
  var marks = 0
  for (place, scalar) in text.unicodeScalars.enumerated() {
    marks = scalar.isMark ? marks + 1 : 0
    switch scalar {
    case "&": result.append(contentsOf: "&amp;".utf8)
    case "<": result.append(contentsOf: "&lt;".utf8)
    case ">": result.append(contentsOf: "&gt;".utf8)
    case "\"": result.append(contentsOf: "&quot;".utf8)
    case "'": result.append(contentsOf: "&#39;".utf8)
    case "\n", "\t": result.append(UInt8(truncatingIfNeeded: scalar.value))
    case "\r": result.append(contentsOf: "&#13;".utf8)
    case "\u{0}"..<" ", "\u{7F}"..."\u{9F}", "\u{FFFE}", "\u{FFFF}": result.append(contentsOf: "\u{FFFD}".utf8)
    case "\u{202A}"..."\u{202E}": result.append(contentsOf: "\u{FFFD}".utf8)
    case "\u{2066}"..."\u{2069}" where !closed.contains(place): result.append(contentsOf: "\u{FFFD}".utf8)
    case _ where marks > mostMarks: break
    default: result.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
    }
  }
  return String(decoding: result, as: UTF8.self)
}

/// Marks over or under one letter that are shown: scripts need no more.
let mostMarks = 4

extension Unicode.Scalar {
  /// Whether it stands over, under or around the character before it.
  var isMark: Bool {
    value >= 0x300 && [.nonspacingMark, .enclosingMark].contains(properties.generalCategory)
  }

  /// Whether it is written from right to left, or makes others be.
  fileprivate var turnsDirection: Bool {
    switch value {
    case 0x590...0x8FF, 0xFB1D...0xFDFF, 0xFE70...0xFEFF, 0x10800...0x10FFF, 0x1E800...0x1EFFF: true
    case 0x200F, 0x202A...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}

/// A text that leaves the direction of what stands beside it in the same line as it is: one that is written from right to
/// left gets marks of isolation (Unicode Standard Annex 9) around it, and none of its own turns anything else.
package func isolated(_ text: String) -> String {
  guard text.unicodeScalars.contains(where: \.turnsDirection) else { return text }
  var result = String.UnicodeScalarView("\u{2068}".unicodeScalars)
  for scalar in text.unicodeScalars {
    let isControl = (0x202A...0x202E).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
    result.append(isControl ? "\u{FFFD}" : scalar)
  }
  result.append("\u{2069}")
  return String(result)
}

/// The places, in scalars, of the isolates that are closed and of what closes them.
private func closedIsolates(_ text: String) -> Set<Int> {
  // All are three bytes that begin alike.
  guard text.utf8.contains(0xE2) else { return [] }
  var closed: Set<Int> = []
  var open: [Int] = []
  for (place, scalar) in text.unicodeScalars.enumerated() {
    switch scalar {
    case "\u{2066}", "\u{2067}", "\u{2068}": open.append(place)
    // A paragraph's end closes all.
    case "\n", "\r", "\u{85}", "\u{2029}": open = []
    case "\u{2069}":
      if let start = open.popLast() { closed.formUnion([start, place]) }
    default: break
    }
  }
  return closed
}

/// A text of at most `limit` characters: of a longer one the start, or with `keepsEnd` a little of it and the end.
func shortened(_ text: String, to limit: Int, keepsEnd: Bool = false) -> String {
  guard text.utf8.count > limit, text.count > limit else { return text }
  guard keepsEnd else { return text.prefix(limit - 1) + "…" }
  return text.prefix(limit / 4) + " … " + text.suffix(limit - limit / 4 - 3)
}

/// A coordinate with at most two decimals, no trailing zeros.
package func coordinate(_ value: Double) -> String {
  guard value.isFinite, abs(value) < 1e9 else { return "0" }
  let hundredths = Int((value * 100).rounded())
  let (whole, rest) = hundredths.magnitude.quotientAndRemainder(dividingBy: 100)
  let sign = hundredths < 0 ? "-" : ""
  if rest == 0 { return "\(sign)\(whole)" }
  return rest % 10 == 0 ? "\(sign)\(whole).\(rest / 10)" : "\(sign)\(whole).\(rest < 10 ? "0" : "")\(rest)"
}
