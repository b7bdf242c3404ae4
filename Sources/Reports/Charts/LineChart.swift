/// Lines, bands and areas over one pair of axes, as SVG: the only chart code there is.
///
/// The markup carries classes and no colours: `ChartStyle` colours it, plainly in a file of its own, by the page's
/// variables inside a report.
package struct LineChart: Sendable {
  /// What stands above it.
  package var title: String
  /// What the horizontal axis counts.
  package var xLabel: String
  /// The curves, drawn in order.
  package var series: [Series]
  /// Whether the vertical axis reaches zero.
  package var includesZero: Bool

  /// A chart.
  package init(title: String, xLabel: String = "step", series: [Series], includesZero: Bool = false) {
    self.title = title
    self.xLabel = xLabel
    self.series = series
    self.includesZero = includesZero
  }

  /// How wide a panel is, in user units.
  package static let width = 460.0
  /// How high a panel is, in user units.
  package static let height = 290.0

  /// The chart as an element `<g>` with its top left corner at (`left`, `top`).
  ///
  /// - Parameters:
  ///   - legendRows: How many rows to leave for the legend at least, so that neighbours line up.
  ///   - readable: Whether pointing at a step tells its numbers.
  package func group(left: Double = 0, top: Double = 0, legendRows: Int = 0, readable: Bool = false) -> String {
    let plot = Plot(self, legendRows: legendRows)
    var parts = ["<g transform=\"translate(\(coordinate(left)) \(coordinate(top)))\">"]
    parts.append("<text class=\"title\" x=\"2\" y=\"18\">\(escaped(title))</text>")
    parts += plot.legend()
    if plot.isEmpty {
      let y = coordinate(Self.height / 2 + 10)
      parts.append("<text class=\"tick middle\" x=\"\(coordinate(Self.width / 2))\" y=\"\(y)\">no steps yet</text>")
    } else {
      parts += plot.axes(xLabel: xLabel)
      for series in series { parts += plot.shapes(of: series.thinned(to: 1200)) }
      if readable { parts += plot.readings(xLabel: xLabel) }
    }
    parts.append("</g>")
    return parts.joined(separator: "\n")
  }

  /// The chart as an `<svg>` element to put inside a page that has `ChartStyle.page`.
  package func embedded() -> String {
    """
    <svg class="chart" viewBox="0 0 \(coordinate(Self.width)) \(coordinate(Self.height))" role="img" \
    aria-label="\(escaped(title))" xmlns="http://www.w3.org/2000/svg">
    \(group(readable: true))
    </svg>
    """
  }

  /// Charts side by side as an SVG file of its own, on white.
  package static func document(_ charts: [LineChart], title: String) -> String {
    let margin = 16.0
    let gap = 28.0
    let count = Double(max(1, charts.count))
    let fullWidth = coordinate(margin * 2 + count * width + (count - 1) * gap)
    let fullHeight = coordinate(margin * 2 + height)
    let rows = charts.map { Plot($0).legendRows.count }.max() ?? 0
    let groups = charts.enumerated().map { index, chart in
      chart.group(left: margin + Double(index) * (width + gap), top: margin, legendRows: rows)
    }
    return """
      <?xml version="1.0" encoding="UTF-8"?>
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(fullWidth) \(fullHeight)" width="\(fullWidth)" \
      height="\(fullHeight)" role="img" aria-label="\(escaped(title))">
      <title>\(escaped(title))</title>
      <style>\(ChartStyle.standalone)</style>
      <rect width="100%" height="100%" fill="#ffffff"/>
      \(groups.joined(separator: "\n"))
      </svg>

      """
  }
}
