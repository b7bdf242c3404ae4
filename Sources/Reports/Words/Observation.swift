/// Something that the numbers of a run call for saying, in plain words.
public struct Observation: Sendable, Equatable {
  /// How much it matters.
  public enum Kind: String, Sendable {
    /// The run went wrong, or its language did.
    case warning
    /// Worth knowing.
    case note
  }

  /// How much it matters.
  public let kind: Kind
  /// In a few words.
  public let title: String
  /// What was seen.
  public let text: String
  /// Where that usually comes from; empty where there is nothing to explain.
  public let cause: String
  /// What to do; empty where nothing needs to be done.
  public let remedy: String

  /// An observation.
  package init(kind: Kind, title: String, text: String, cause: String = "", remedy: String = "") {
    self.kind = kind
    self.title = title
    self.text = text
    self.cause = cause
    self.remedy = remedy
  }
}

/// Observations as HTML, styled by `theme.css`; empty where there is nothing to say.
package func observationsHTML(_ observations: [Observation]) -> String {
  observations.map { one in
    var parts = ["<b>\(escaped(one.title))</b>", "<p>\(escaped(one.text))</p>"]
    let advice = [("Why", one.cause), ("What to do", one.remedy)].filter { !$0.1.isEmpty }
    if !advice.isEmpty {
      parts.append("<dl>\(advice.map { "<dt>\($0.0)</dt><dd>\(escaped($0.1))</dd>" }.joined())</dl>")
    }
    return "<div class=\"said \(one.kind.rawValue)\" role=\"note\">\(parts.joined())</div>"
  }.joined(separator: "\n")
}
