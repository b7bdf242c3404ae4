import Foundation

/// A curve in braille characters, two by four dots each, beside its highest and lowest value.
package struct TerminalCurve: Sendable {
  private let name: String
  private let history: CurveHistory

  /// The course of what is called `name`.
  package init(_ name: String, _ history: CurveHistory) {
    self.name = name
    self.history = history
  }

  /// The columns that the labels take beside a curve of so many rows.
  package func labelWidth(rows: Int) -> Int { labels(rows: rows).reduce(0) { max($0, $1.count) } }

  /// The curve in `rows` lines (2 or more) of at most `columns` columns; none where that is too narrow.
  ///
  /// It goes from the first to the last step, and from the lowest to the highest value, which the labels name.
  ///
  /// - Parameter labelWidth: The columns that the labels take at least, so that curves below each other begin alike.
  package func lines(columns: Int, rows: Int, labelWidth: Int = 0) -> [String] {
    guard rows >= 2, let (low, high) = ends else { return [] }
    let labels = labels(rows: rows)
    let gutter = max(labelWidth, self.labelWidth(rows: rows))
    let width = columns - gutter - 2
    guard width >= 4 else { return [] }
    let dots = plot(width: width, rows: rows, low: low, high: high)
    return (0..<rows).map { row in
      let label = String(repeating: " ", count: gutter - labels[row].count) + labels[row]
      let tick = row == 0 || row == rows - 1 ? "┤" : "│"
      let characters = dots[row * width..<(row + 1) * width].map { dots -> Character in
        dots == 0 ? " " : Unicode.Scalar(0x2800 + UInt32(dots)).map { Character($0) } ?? " "
      }
      let line = "\(label) \(tick)\(String(characters))"
      return String(line.reversed().drop { $0 == " " }.reversed())
    }
  }

  private var ends: (low: Double, high: Double)? {
    guard let low = history.entries.map(\.low).min(), let high = history.entries.map(\.high).max() else { return nil }
    return (low, high)
  }

  /// What stands before each row: the highest value, the name, the lowest value.
  private func labels(rows: Int) -> [String] {
    guard rows >= 2, let (low, high) = ends else { return [] }
    let (lowest, highest) = Self.labels(low, high)
    var labels = Array(repeating: "", count: rows)
    labels[rows - 1] = lowest
    labels[0] = rows > 2 ? highest : "\(name) \(highest)"
    if rows > 2 { labels[1] = name }
    return labels
  }

  /// Both ends of the scale, with as many decimals as tell them apart, three at least.
  package static func labels(_ low: Double, _ high: Double) -> (low: String, high: String) {
    if max(abs(low), abs(high)) < 1e6 {
      for decimals in 3...6 {
        let pair = (Self.label(low, "%.\(decimals)f"), Self.label(high, "%.\(decimals)f"))
        if pair.0 != pair.1 || low == high { return pair }
      }
    }
    for digits in [3, 6, 9] {
      let pair = (Self.label(low, "%.\(digits)g"), Self.label(high, "%.\(digits)g"))
      if pair.0 != pair.1 { return pair }
    }
    return (low.description, high.description)
  }

  /// A number, never "-0.000".
  private static func label(_ value: Double, _ format: String) -> String {
    let text = String(format: format, value)
    return text.hasPrefix("-") && !text.contains { "123456789".contains($0) } ? String(text.dropFirst()) : text
  }

  /// The bits of each character, row by row.
  private func plot(width: Int, rows: Int, low: Double, high: Double) -> [UInt8] {
    let bits: [[UInt8]] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]]
    var cells = [UInt8](repeating: 0, count: width * rows)
    let (right, bottom) = (width * 2 - 1, rows * 4 - 1)
    // Halves, since the range of two doubles may be more than a double holds.
    let range = high / 2 - low / 2
    func y(_ value: Double) -> Int {
      let share = range > 0 ? (value / 2 - low / 2) / range : 0.5
      return Int(((1 - min(1, max(0, share))) * Double(bottom)).rounded())
    }
    func draw(_ x: Int, _ y: Int) { cells[y / 4 * width + x / 2] |= bits[x % 2][y % 4] }
    var last: (x: Int, y: Int)?
    for (index, entry) in history.entries.enumerated() {
      let x = history.entries.count == 1 ? 0 : index * right / (history.entries.count - 1)
      for value in entry.low == entry.high ? [entry.low] : [entry.low, entry.high] {
        let point = (x: x, y: y(value))
        let from = last ?? point
        let length = max(abs(point.x - from.x), abs(point.y - from.y))
        for part in 0...length {
          let share = length == 0 ? 1 : Double(part) / Double(length)
          draw(
            from.x + Int((Double(point.x - from.x) * share).rounded()),
            from.y + Int((Double(point.y - from.y) * share).rounded()))
        }
        last = point
      }
    }
    return cells
  }
}
