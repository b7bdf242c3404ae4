extension StoryTreePicture {
  /// The picture as an SVG file of its own: light, no script.
  package var svg: String {
    let margin = 24.0
    let gap = 32.0
    let side = (width: 530.0, height: 480.0)
    let top = finding == nil ? 118.0 : 142.0
    let full = (width: 2 * margin + gap + 2 * side.width, height: top + side.height + margin)
    let sides = (0..<2).map { index in
      group(index, left: margin + Double(index) * (side.width + gap), top: top, width: side.width, height: side.height)
    }
    let title = "What may follow “\(PictureText.name(prompt, words: words, 90))”"
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(coordinate(full.width)) \(coordinate(full.height))" \
      width="\(coordinate(full.width))" height="\(coordinate(full.height))" role="img" aria-label="\(escaped(title))">
      <title>\(escaped(title))</title>
      <style>
      text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif;font-size:13px;fill:#1f1e1b}
      .title{font-size:17px;font-weight:600}
      .head{font-size:14px;font-weight:600}
      .small{font-size:11px}
      .quiet{fill:#6a665e}
      .box{stroke:#ffffff;stroke-width:1}
      .other{fill:#fbfaf7;stroke:#ebe8e1;stroke-width:1}
      </style>
      <rect width="100%" height="100%" fill="#ffffff"/>
      <text class="title" x="\(coordinate(margin))" y="36">\(escaped(title))</text>
      \(finding.map { "<text x=\"\(coordinate(margin))\" y=\"59\">\(escaped($0))</text>" } ?? "")
      \(PictureColors.legend(left: margin, top: top - 66))
      \(sides.joined(separator: "\n"))
      </svg>

      """
  }

  private func group(_ side: Int, left: Double, top: Double, width: Double, height: Double) -> String {
    let columns = max(1, min(Self.columns, branches.depth))
    let layout = TreeLayout(branches, side: side, columns: columns, smallest: 0.4 / height)
    let column = width / Double(columns)
    let boxes = layout.boxes.map { box -> String in
      let reading = reading(box, side: side)
      let x = Double(box.column) * column
      let fill = reading.shade.map { "class=\"box\" fill=\"\(PictureColors.change($0))\"" } ?? "class=\"other\""
      let boxHeight = box.height * height
      let text = TreeBoxText(reading, width: column, height: boxHeight, showsChange: side == 1)
      let middle = box.top * height + boxHeight / 2
      return """
        <g><title>\(escaped(details(box)))</title>\
        <rect \(fill) x="\(coordinate(x))" y="\(coordinate(box.top * height))" width="\(coordinate(column))" \
        height="\(coordinate(boxHeight))"/>\
        \(text.svg(x: x, width: column, middle: middle, isQuiet: box.branch == nil))</g>
        """
    }
    return """
      <text class="head" x="\(coordinate(left))" y="\(coordinate(top - 10))">\(escaped(labels[side]))</text>
      <g transform="translate(\(coordinate(left)) \(coordinate(top)))">
      \(boxes.joined(separator: "\n"))
      </g>
      """
  }
}

extension TreeBoxText {
  /// As text at a place of a drawing.
  fileprivate func svg(x: Double, width: Double, middle: Double, isQuiet: Bool) -> String {
    let quiet = isQuiet ? " quiet" : ""
    var result = ""
    if let first {
      let y = isBelow && second != nil ? middle - 2.6 : middle + 4.6
      let name = isQuiet ? " class=\"quiet\"" : ""
      result += "<text\(name) x=\"\(coordinate(x + 6))\" y=\"\(coordinate(y))\">\(escaped(first))</text>"
    }
    if let second, isBelow {
      let place = "x=\"\(coordinate(x + 6))\" y=\"\(coordinate(middle + 12.6))\""
      result += "<text class=\"small\(quiet)\" \(place)>\(escaped(second))</text>"
    } else if let second {
      result += """
        <text class="small\(quiet)" x="\(coordinate(x + width - 6))" y="\(coordinate(middle + 4))" text-anchor="end">\
        \(escaped(second))</text>
        """
    }
    return result
  }
}
