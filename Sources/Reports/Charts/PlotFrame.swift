extension Plot {
  /// What a chart is drawn for, which sets its measures, in user units.
  ///
  /// A chart of a page is smaller, so that its words keep their size where a phone makes it narrow, and leaves its title
  /// to the page.
  enum Frame {
    /// An SVG file of its own.
    case file
    /// A page.
    case page

    /// How wide it is.
    var width: Double { self == .file ? LineChart.width : 380 }
    /// Where the legend starts.
    var head: Double { self == .file ? 30 : 4 }
    /// What is below the plot: tick labels and the name of the axis.
    var foot: Double { 40 }
    /// What is to the right of the plot, where the last tick's label may reach.
    var rightMargin: Double { self == .file ? 18 : 14 }
    /// About how many ticks the vertical axis has.
    var tickCount: Int { self == .file ? 6 : 5 }

    /// How far apart the rows of a legend are: in pages they are buttons.
    var legendRow: Double { self == .file ? 18 : 24 }

    /// Where the plot starts.
    func top(legendRows rows: Int) -> Double { head + legendRow * Double(rows) + 6 }

    /// How high the whole is: it grows where a long legend would leave the curves too little.
    func height(legendRows rows: Int) -> Double {
      self == .file ? LineChart.height + 18 * Double(max(0, rows - 2)) : top(legendRows: rows) + 168 + foot
    }

    /// A coordinate of a curve: pages have many, and a tenth of a unit is less than a pixel.
    func number(_ value: Double) -> String {
      coordinate(self == .file ? value : (value * 10).rounded() / 10)
    }

    /// A name that fits; of a longer one the end is kept, too, since that is where runs' names differ.
    func short(_ label: String) -> String {
      let limit = self == .file ? 60 : 50
      guard label.count > limit else { return label }
      return label.prefix(limit / 2) + "…" + label.suffix(limit - limit / 2 - 1)
    }

    /// The named curves in rows that fit, and where each starts.
    func legend(of series: [Series]) -> [[(series: Series, x: Double)]] {
      var rows: [[(series: Series, x: Double)]] = []
      var x = 2.0
      for one in series {
        guard let label = one.label else { continue }
        let keyWidth = 23 + 6.5 * Double(short(label).count) + 18
        if rows.isEmpty || x + keyWidth - 18 > width {
          rows.append([])
          x = 2
        }
        rows[rows.count - 1].append((one, x))
        x += keyWidth
      }
      return rows
    }
  }
}
