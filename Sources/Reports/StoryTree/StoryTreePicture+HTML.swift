import JSON
import Runs

extension StoryTreePicture {
  /// Tokens after the prompt that are shown before a branch is unfolded.
  static let columns = 5
  /// What a column and a side measure about on a desk's screen, in pixels, for labels that fit.
  private static let side = (width: 490.0, height: 440.0)

  /// Both sides for a page with `theme.css` and `pictures.css`; `tree.js` makes it a thing to explore.
  package var html: String {
    guard !branches.branches.isEmpty else {
      return "<div class=\"story-tree\"><p class=\"st-how\">There is nothing in this story tree.</p></div>"
    }
    return """
      <div class="story-tree" data-tree="\(escaped(data))">
      <p class="st-prompt">What may follow <q>\(escaped(PictureText.name(prompt, words: words, 160)))</q></p>
      \(finding.map { "<p class=\"st-found\">\(escaped($0))</p>" } ?? "")
      <p class="st-how">Each column is the next token; the higher a box, the more probable. \
      Orange became more probable, blue less.</p>
      \(Self.legend)
      <div class="st-sides">
      \(figure(0))
      \(figure(1))
      </div>
      </div>
      """
  }

  private static let legend = """
    <div class="st-legend"><span class="st-scale"><i></i>\
    <span><b>÷16</b><b>÷4</b><b>same</b><b>×4</b><b>×16</b></span></span>\
    <span class="st-rest"><i></i>other: not told apart</span></div>
    """

  private func figure(_ side: Int) -> String {
    let columns = min(Self.columns, branches.depth)
    let layout = TreeLayout(branches, side: side, columns: columns, smallest: 0.4 / Self.side.height)
    let boxes = layout.boxes.map { svg($0, side: side, columns: columns) }
    let summary = layout.boxes.filter { $0.column == 0 }.prefix(8).map { box in
      let reading = reading(box, side: side)
      return "\(reading.label) \(PictureText.percent(reading.path))"
    }
    return """
      <figure class="st-side"><figcaption>\(escaped(labels[side]))</figcaption>
      <svg class="st-plot" role="img" xmlns="http://www.w3.org/2000/svg" \
      aria-label="\(escaped("\(labels[side]): \(summary.joined(separator: ", "))"))">
      \(boxes.joined(separator: "\n"))
      </svg></figure>
      """
  }

  /// A box in shares of its side, so that it fits any width; what does not fit into a box is cut off.
  private func svg(_ box: TreeLayout.Box, side: Int, columns: Int) -> String {
    let reading = reading(box, side: side)
    let kind = reading.shade.map { $0 < 0 ? "st-box st-lost" : "st-box st-gained" } ?? "st-box st-other"
    let shade = reading.shade.map { " style=\"--r:\(coordinate(abs($0)))\"" } ?? ""
    func share(_ value: Double) -> String { fine(value * 100) + "%" }
    let width = Self.side.width / Double(columns)
    let text = TreeBoxText(reading, width: width, height: box.height * Self.side.height, showsChange: side == 1)
    return """
      <svg class="\(kind)"\(shade) x="\(share(Double(box.column) / Double(columns)))" y="\(share(box.top))" \
      width="\(share(1 / Double(columns)))" height="\(share(box.height))"><title>\(escaped(details(box)))</title>\
      <rect width="100%" height="100%"/>\(text.html)</svg>
      """
  }

  /// At most four decimals: a hundredth of a percent is not fine enough for the edges of boxes.
  private func fine(_ value: Double) -> String { "\((value * 10_000).rounded() / 10_000)" }

  /// What `tree.js` draws from: the labels of both sides and all branches.
  private var data: String {
    var writer = JSONWriter(capacity: branches.branches.count * 120)
    func optional(_ value: Double?, _ writer: inout JSONWriter) {
      if let value, value.isFinite { writer.number(value, field: "mass") } else { writer.raw("null") }
      writer.raw(",")
    }
    writer.raw("{")
    writer.key("prompt", first: true)
    writer.string(words.map { PictureText.clipped($0, to: 160) } ?? PictureText.tail(prompt, 160))
    writer.key("labels")
    writer.list(labels) { $1.string($0) }
    writer.key("nodes")
    writer.list(Array(branches.branches.indices)) { index, writer in
      let branch = branches.branches[index]
      let change = branches.change(of: index)
      writer.raw("[")
      writer.integer(branch.parent)
      writer.raw(",")
      writer.string(label(of: index))
      writer.raw(",")
      writer.string(branch.text)
      writer.raw(branch.isEnd ? ",1," : ",0,")
      for side in 0..<2 { optional(branch.masses[side]?.conditional, &writer) }
      for side in 0..<2 { optional(branch.masses[side]?.path, &writer) }
      for side in 0..<2 { optional(branch.limits[side], &writer) }
      optional(change.shade, &writer)
      writer.string(change.text)
      writer.raw("]")
    }
    writer.raw("}")
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}

/// What is written into a box of a given size.
struct TreeBoxText {
  /// The token, on one line or the first of two.
  var first: String?
  /// The probability: after the token or below it.
  var second: String?
  /// Whether it stands below.
  var isBelow = false

  /// Sizes of the letters, in pixels.
  static let sizes = (first: 13.0, second: 11.0)
  private static let inset = 6.0

  init(_ reading: StoryTreePicture.Reading, width: Double, height: Double, showsChange: Bool) {
    guard height >= 14 else { return }
    first = PictureText.fitted(reading.label, ems: (width - 2 * Self.inset) / Self.sizes.first)
    let percent = PictureText.percent(reading.path)
    let candidates = showsChange && !reading.change.isEmpty ? ["\(percent) \(reading.change)", percent] : [percent]
    isBelow = height >= 34
    let taken = isBelow ? 0 : PictureText.width(first ?? "") * Self.sizes.first + 6
    let room = (width - 2 * Self.inset - taken) / Self.sizes.second
    second = candidates.first { PictureText.width($0) <= room }
  }

  /// As text of an element that is as large as the box.
  var html: String {
    let lines: [(text: String, attributes: String)?] = [
      first.map { ($0, "class=\"st-word\" x=\"6\" y=\"50%\" dy=\"\(isBelow && second != nil ? "-.2em" : ".35em")\"") },
      second.map { text in
        isBelow
          ? (text, "class=\"st-number\" x=\"6\" y=\"50%\" dy=\"1.15em\"")
          : (text, "class=\"st-number st-inline\" x=\"100%\" dx=\"-6\" y=\"50%\" dy=\".35em\" text-anchor=\"end\"")
      },
    ]
    return lines.compactMap(\.self).map { "<text \($0.attributes)>\(escaped($0.text))</text>" }.joined()
  }
}
