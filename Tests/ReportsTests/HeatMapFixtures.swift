import Foundation
import JSON
import Reports
import Runs
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

extension FollowedStory {
  /// A followed story of the given tokens.
  static func telling(_ texts: [String], reason: FinishReason = .length) -> FollowedStory {
    FollowedStory(
      step: 8, index: 0, prompt: "There was", text: texts.joined(), reward: 0.5, finishReason: reason,
      tokens: texts.enumerated().map { index, text in
        TokenDetail(
          tokenID: index, text: text, logProbability: -1, referenceLogProbability: -2, entropy: 2, referenceEntropy: 3,
          alternatives: [.init(tokenID: index, text: text, probability: 0.4, referenceProbability: 0.1)])
      })
  }
}

extension SampleRecord {
  /// A sample of the given tokens, with log-probabilities of -1 plus the ratios.
  static func telling(_ texts: [String], ratios: [Float]? = nil) -> SampleRecord {
    let ratios = ratios ?? texts.map { _ in 0.5 }
    return SampleRecord(
      step: 3, index: 0, prompt: "There was", tokenIDs: Array(texts.indices), text: texts.joined(), reward: 0.5,
      advantage: 0.25, logProbability: -3, finishReason: .length, logProbabilities: ratios.map { -1 + $0 },
      referenceLogProbabilities: ratios.map { _ in -1 }, entropies: ratios.map { _ in 2 },
      tokenBytes: texts.map(\.utf8.count))
  }
}

extension Markup {
  /// Kind and strength of each token's colour.
  var tokens: [(kind: String, share: Double)] {
    elements.filter { ($0.attributes["class"] ?? "").hasPrefix("hm-token") }.map { element in
      let kind = (element.attributes["class"] ?? "").split(separator: " ").last.map(String.init) ?? ""
      let style = (element.attributes["style"] ?? "").split(separator: ":").last.map(String.init) ?? ""
      return (kind, Double(style) ?? .nan)
    }
  }
}

extension HeatMap {
  /// The prompt and the story as a page shows them.
  var shownText: String {
    guard let start = html.range(of: "<p class=\"hm-text\">"),
      let end = html.range(of: "</p>", range: start.upperBound..<html.endIndex)
    else { return "no paragraph" }
    return Markup(String(html[start.lowerBound..<end.upperBound])).text
  }

  /// What the page's script reads.
  var data: JSONValue {
    get throws {
      let text = try #require(Markup(html).elements.first?.attributes["data-map"])
      return try JSONValue(parsing: Array(text.utf8))
    }
  }

  /// The alternatives of a token as the page's script reads them.
  func alternatives(_ token: Int) throws -> [(text: String, before: Double, after: Double, isTold: Bool)] {
    guard case .array(let tokens)? = try data["tokens"], case .array(let row) = tokens[token],
      case .array(let list)? = row.last
    else { return [] }
    return list.compactMap { entry in
      guard case .array(let values) = entry else { return nil }
      return (
        values[0].stringValue ?? "", values[1].doubleValue ?? .nan, values[2].doubleValue ?? .nan,
        values[3].integerValue == 1
      )
    }
  }
}
