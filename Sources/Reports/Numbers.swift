import Foundation

/// Numbers as a reader likes them: a true minus sign, thousands set apart, powers of ten written as powers.
package enum Numbers {
  /// `digits` decimals.
  package static func fixed(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite else { return "not a number" }
    let text = String(format: "%.\(min(max(digits, 0), 15))f", value)
    guard text.hasPrefix("-") else { return text }
    // No minus before a zero.
    return text.contains { $0 >= "1" && $0 <= "9" } ? "−" + text.dropFirst() : String(text.dropFirst())
  }

  /// About `digits` significant digits: 0.145, 12.3, 4,096, 3.1×10⁻⁵.
  package static func significant(_ value: Double, _ digits: Int = 3) -> String {
    guard value.isFinite else { return "not a number" }
    if value == 0 { return "0" }
    let size = Int(log10(abs(value)).rounded(.down))
    if size < -3 || size > 6 { return scientific(value, exponent: size, decimals: max(0, digits - 1)) }
    if size >= digits - 1 { return grouped(value) }
    return fixed(value, digits - 1 - size)
  }

  /// Rounded to a whole number, thousands set apart by commas from 10,000 on.
  package static func grouped(_ value: Double) -> String {
    guard value.isFinite, abs(value) < 9e15 else { return "not a number" }
    return grouped(Int(value.rounded()))
  }

  /// Thousands set apart by commas.
  package static func grouped(_ value: Int) -> String {
    var groups: [String] = []
    var rest = value.magnitude
    while rest >= 1000 {
      let tail = String(rest % 1000)
      groups.append(String(repeating: "0", count: 3 - tail.count) + tail)
      rest /= 1000
    }
    groups.append(String(rest))
    return (value < 0 ? "−" : "") + groups.reversed().joined(separator: ",")
  }

  /// `mantissa×10ⁿ`.
  package static func scientific(_ value: Double, exponent: Int, decimals: Int) -> String {
    let mantissa = value / pow(10, Double(exponent))
    let digits = Array("⁰¹²³⁴⁵⁶⁷⁸⁹")
    let power = String(exponent.magnitude).compactMap { $0.wholeNumberValue.map { digits[$0] } }
    return "\(fixed(mantissa, decimals))×10\(exponent < 0 ? "⁻" : "")\(String(power))"
  }

  /// Seconds in the unit that suits: 12 ms, 4.2 s, 3 min 20 s, 2 h 5 min.
  package static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 9e9 else { return "not a number" }
    if seconds < 0.0995 { return "\(significant(seconds * 1000, 2))\u{A0}ms" }
    if seconds < 99.5 { return "\(significant(seconds, seconds < 9.95 ? 2 : 3))\u{A0}s" }
    let whole = Int(seconds.rounded())
    if whole < 3600 { return "\(whole / 60)\u{A0}min \(whole % 60)\u{A0}s" }
    return "\(grouped(whole / 3600))\u{A0}h \(whole % 3600 / 60)\u{A0}min"
  }

  /// A time of day with its zone, the same everywhere: 2026-09-21 14:13 UTC.
  static func time(_ date: Date) -> String {
    let style = Date.ISO8601FormatStyle(timeZone: .gmt).year().month().day()
      .time(includingFractionalSeconds: false).dateTimeSeparator(.space)
    return String(date.formatted(style).prefix(16)) + " UTC"
  }

  /// `count` and the noun in the right number.
  package static func counted(_ count: Int, _ singular: String, _ plural: String) -> String {
    "\(grouped(count)) \(count == 1 ? singular : plural)"
  }
}
