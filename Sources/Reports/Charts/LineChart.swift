/// Lines, bands, areas and trails over one pair of axes, as SVG: the only chart code there is.
///
/// The markup carries classes and no colours: `ChartStyle` colours it in a file of its own, `theme.css` in a page.
package struct LineChart: Sendable {
  /// What it shows.
  package var title: String
  /// What the horizontal axis counts.
  package var xLabel: String
  /// The curves, drawn in order.
  package var series: [Series]
  /// Whether the vertical axis reaches zero.
  package var includesZero: Bool
  /// Whether the horizontal axis counts whole things, such as steps.
  package var countsSteps: Bool
  /// What a reader may see instead of steps along the horizontal axis, for each run.
  package var clocks: [RunClock] = []

  /// A chart.
  package init(
    title: String, xLabel: String = "step", series: [Series], includesZero: Bool = false, countsSteps: Bool = true
  ) {
    self.title = title
    self.xLabel = xLabel
    self.series = series
    self.includesZero = includesZero
    self.countsSteps = countsSteps
  }

  /// How wide a panel of an SVG file is, in user units.
  package static let width = 460.0
  /// How high a panel of an SVG file is, in user units.
  package static let height = 290.0

  /// The chart as an element `<g>` of an SVG file with its top left corner at (`left`, `top`).
  ///
  /// - Parameter legendRows: How many rows to leave for the legend at least, so that neighbours line up.
  package func group(left: Double = 0, top: Double = 0, legendRows: Int = 0) -> String {
    let plot = Plot(self, frame: .file, legendRows: legendRows)
    return """
      <g transform="translate(\(coordinate(left)) \(coordinate(top)))">
      <text class="title" x="2" y="18">\(escaped(title))</text>
      \(content(plot))
      </g>
      """
  }

  /// The chart as an `<svg>` element for a page with `theme.css`; the page says its title.
  ///
  /// An attribute holds its values, thinned, for `charts.js`, which makes them readable by mouse, touch and keys.
  package func embedded() -> String {
    let plot = Plot(self, frame: .page)
    let data = plot.isEmpty ? "" : " data-chart=\"\(escaped(readings(plot)))\""
    return """
      <svg class="chart" viewBox="0 0 \(coordinate(plot.width)) \(coordinate(plot.height))" role="img" \
      aria-label="\(escaped(title))" xmlns="http://www.w3.org/2000/svg"\(data)>
      \(content(plot))
      </svg>
      """
  }

  private func content(_ plot: Plot) -> String {
    var parts = plot.legend()
    // Scripts of pages find what they draw anew by its group; a file has none.
    if plot.frame == .page { parts.append("<g class=\"plot\">") }
    if plot.isEmpty {
      let place = "x=\"\(coordinate(plot.width / 2))\" y=\"\(coordinate(plot.height / 2 + 10))\""
      parts.append("<text class=\"tick middle\" \(place)>no steps yet</text>")
    } else {
      parts += plot.axes(xLabel: xLabel)
      let limit = pointLimit
      for series in series { parts += plot.shapes(of: series.thinned(to: limit)) }
    }
    if plot.frame == .page { parts.append("</g>") }
    return parts.joined(separator: "\n")
  }

  /// How many points a curve may have, so that a chart of many curves and steps stays small.
  var pointLimit: Int {
    let strands = series.map(\.strands).reduce(0, +)
    return min(400, max(60, 960 / max(1, strands)))
  }

  /// Charts side by side as an SVG file of its own, on white.
  package static func document(_ charts: [LineChart], title: String) -> String {
    let margin = 16.0
    let gap = 28.0
    let count = Double(max(1, charts.count))
    let rows = charts.map { Plot($0, frame: .file).legendRows.count }.max() ?? 0
    let fullWidth = coordinate(margin * 2 + count * width + (count - 1) * gap)
    let fullHeight = coordinate(margin * 2 + Plot.Frame.file.height(legendRows: rows))
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
