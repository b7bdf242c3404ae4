/// Text made safe for HTML and XML, as content and inside quoted attributes; characters that XML forbids are replaced.
package func escaped(_ text: String) -> String {
  var result: [UInt8] = []
  result.reserveCapacity(text.utf8.count + 16)
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": result.append(contentsOf: "&amp;".utf8)
    case "<": result.append(contentsOf: "&lt;".utf8)
    case ">": result.append(contentsOf: "&gt;".utf8)
    case "\"": result.append(contentsOf: "&quot;".utf8)
    case "'": result.append(contentsOf: "&#39;".utf8)
    case "\n", "\t": result.append(UInt8(truncatingIfNeeded: scalar.value))
    case "\r": result.append(contentsOf: "&#13;".utf8)
    case "\u{0}"..<" ", "\u{7F}"..."\u{9F}", "\u{FFFE}", "\u{FFFF}": result.append(contentsOf: "\u{FFFD}".utf8)
    // A story must not turn the text after it around.
    case "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}": result.append(contentsOf: "\u{FFFD}".utf8)
    default: result.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
    }
  }
  return String(decoding: result, as: UTF8.self)
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
