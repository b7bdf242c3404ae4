/// The colours of pictures in files of their own, where there are no variables: the light ones of `theme.css`.
enum PictureColors {
  /// What did not change.
  private static let even = (230.0, 229.0, 227.0)
  /// What became less probable.
  private static let lost = (116.0, 169.0, 210.0)
  /// What became more probable.
  private static let gained = (234.0, 156.0, 112.0)
  /// What is certain, on the way to `open`.
  private static let plain = (255.0, 255.0, 255.0)
  /// What is open: high entropy.
  private static let open = (230.0, 181.0, 206.0)

  /// The colour of a change, -1 (lost) to 1 (gained).
  static func change(_ shade: Double, from zero: (Double, Double, Double) = even) -> String {
    mixed(zero, shade < 0 ? lost : gained, min(abs(shade), 1))
  }

  /// The colour of a change where no change is white.
  static func changeOnWhite(_ shade: Double) -> String { change(shade, from: plain) }

  /// The colour of an amount, 0 to 1.
  static func amount(_ share: Double) -> String { mixed(plain, open, min(max(share, 0), 1)) }

  private static func mixed(
    _ low: (Double, Double, Double), _ high: (Double, Double, Double), _ share: Double
  ) -> String {
    let share = share.isFinite ? share : 0
    let parts = [(low.0, high.0), (low.1, high.1), (low.2, high.2)].map { Int(($0 + ($1 - $0) * share).rounded()) }
    return "#" + parts.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// A scale of 260 units, 10 high, with five numbers below.
  static func scale(_ ticks: [String], colors: [String], left: Double, top: Double) -> String {
    let stops = colors.enumerated().map { index, color in
      "<stop offset=\"\(coordinate(Double(index) / Double(max(1, colors.count - 1))))\" stop-color=\"\(color)\"/>"
    }
    let labels = zip(ticks, [0.0, 65, 130, 195, 260]).map { text, x in
      let anchor = x == 0 ? "start" : x == 260 ? "end" : "middle"
      let place = "x=\"\(coordinate(left + x))\" y=\"\(coordinate(top + 23))\""
      return "<text class=\"small quiet\" \(place) text-anchor=\"\(anchor)\">\(escaped(text))</text>"
    }
    return """
      <linearGradient id="scale">\(stops.joined())</linearGradient>
      <rect x="\(coordinate(left))" y="\(coordinate(top))" width="260" height="10" rx="2" fill="url(#scale)" \
      stroke="#ebe8e1"/>
      \(labels.joined(separator: "\n"))
      """
  }

  /// The legend of the story tree: the scale, and what pale boxes are.
  static func legend(left: Double, top: Double) -> String {
    let rest = left + 300
    return """
      \(scale(["÷16", "÷4", "same", "×4", "×16"], colors: [-1, 0, 1].map { change($0) }, left: left, top: top))
      <rect class="other" x="\(coordinate(rest))" y="\(coordinate(top))" width="16" height="10"/>
      <text class="small quiet" x="\(coordinate(rest + 22))" y="\(coordinate(top + 9))">other: not told apart</text>
      """
  }
}
