/// How charts look. The colours are Okabe and Ito's, which readers of every kind of colour vision tell apart.
package enum ChartStyle {
  /// How many colours there are; more curves start over.
  package static let colorCount = 6

  /// Blue, vermilion, green, purple, orange, sky blue.
  static let light = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
  /// The same hues where the ground is dark: those that stand out there.
  static let dark = ["#56b4e9", "#e69f00", "#00b98a", "#cc79a7", "#f0e442", "#e8793b"]

  private static let shapes = """
    .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
    .dashed{stroke-dasharray:5 4;stroke-linecap:butt}
    .faint{stroke-width:1;opacity:.5}
    .band{opacity:.16}
    .area{opacity:.8}
    .grid,.zero,.axis{stroke-width:1;fill:none}
    .middle{text-anchor:middle}
    .end{text-anchor:end}

    """

  /// The style of an SVG file of its own: light, no variables, so that every viewer draws it.
  static let standalone =
    """

    text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif}
    .title{font-size:15px;font-weight:600;fill:#1f2328}
    .key,.tick{font-size:12px;fill:#59636e}
    .grid{stroke:#e8eaed}
    .zero,.axis{stroke:#b6bcc4}

    """ + shapes + palette { light[$0] }

  /// The style inside a page that defines `--ink`, `--muted`, `--hairline`, `--rule` and ``variables(_:)``.
  static let page =
    """
    .chart{display:block;width:100%;height:auto}
    .chart text{font-family:var(--sans)}
    .chart .title{font-size:15px;font-weight:600;fill:var(--ink)}
    .chart .key,.chart .tick{font-size:12px;fill:var(--muted)}
    .chart .grid{stroke:var(--hairline)}
    .chart .hit{fill:var(--ink);opacity:0}
    .chart .hit:hover{opacity:.08}
    .chart .zero,.chart .axis{stroke:var(--rule)}

    """ + shapes + palette { "var(--c\($0))" }

  /// The declarations of the palette's variables.
  static func variables(_ colors: [String]) -> String {
    colors.enumerated().map { "--c\($0):\($1);" }.joined()
  }

  private static func palette(_ color: (Int) -> String) -> String {
    (0..<colorCount).map { ".s\($0){stroke:\(color($0))}\n.f\($0){fill:\(color($0))}\n" }.joined()
  }
}
