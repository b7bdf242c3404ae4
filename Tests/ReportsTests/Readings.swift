import Foundation
import JSON
import Reports
import Runs
import Testing

/// What a chart tells `charts.js`, read back.
struct Readings {
  struct Curve {
    let name: String
    let color: Int
    let look: String
    let values: [Double?]
    let spread: [Double?]?
    let x: [Double?]?
    let steps: [Double?]?
  }

  let steps: [Double?]
  let curves: [Curve]

  init(_ chart: LineChart, _ location: SourceLocation = #_sourceLocation) throws {
    let markup = Markup(chart.embedded(), location)
    let text = try #require(markup.elements.first?.attributes["data-chart"], sourceLocation: location)
    let json = try JSONValue(parsing: Array(text.utf8))
    func numbers(_ value: JSONValue?) -> [Double?]? {
      guard case .array(let list)? = value else { return nil }
      return list.map(\.doubleValue)
    }
    steps = try #require(numbers(json["t"]), sourceLocation: location)
    guard case .array(let list)? = json["s"] else {
      Issue.record("no curves", sourceLocation: location)
      curves = []
      return
    }
    curves = try list.map { entry in
      Curve(
        name: try #require(entry["n"]?.stringValue), color: try #require(entry["c"]?.integerValue),
        look: try #require(entry["k"]?.stringValue), values: try #require(numbers(entry["v"])),
        spread: numbers(entry["d"]), x: numbers(entry["x"]), steps: numbers(entry["t"]))
    }
  }
}
