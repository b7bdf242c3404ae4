/// How charts look in SVG files of their own; in pages `theme.css` colours the same classes. The colours are Okabe and
/// Ito's, which readers of every kind of colour vision tell apart.
package enum ChartStyle {
  /// How many colours there are; more curves start over.
  package static let colorCount = 6

  /// Blue, vermilion, green, purple, orange, sky blue.
  static let light = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]

  /// The style of an SVG file of its own: light, no variables, so that every viewer draws it.
  static let standalone =
    """

    text{font-family:system-ui,-apple-system,"Segoe UI",Roboto,Helvetica,Arial,sans-serif}
    .title{font-size:15px;font-weight:600;fill:#1f2328}
    .key,.tick{font-size:12px;fill:#59636e}
    .grid{stroke:#e8eaed}
    .zero,.axis{stroke:#b6bcc4}
    .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
    .dashed{stroke-dasharray:5 4;stroke-linecap:butt}
    .faint{stroke-width:1;opacity:.5}
    .rule{stroke-width:1;stroke-dasharray:2 3}
    .band{opacity:.16}
    .area{opacity:.8}
    .grid,.zero,.axis{stroke-width:1;fill:none}
    .end-mark{stroke:#ffffff;stroke-width:1.5}
    .middle{text-anchor:middle}
    .end{text-anchor:end}

    """ + palette

  private static let palette = light.enumerated()
    .map { ".s\($0){stroke:\($1)}\n.f\($0){fill:\($1)}\n" }.joined()
}
