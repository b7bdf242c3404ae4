import JSON
import Runs

extension HeatMap {
  /// The story for a page with `theme.css` and `pictures.css`; `heatmap.js` adds the switch and the card.
  ///
  /// A prompt that is long or was written by a template is folded, so that the completion comes first.
  package var html: String { html(showsPrompt: true) }

  /// The story, with its prompt or without it.
  func html(showsPrompt: Bool) -> String {
    let shadings = shadings
    let first = shadings.first
    let marked = tokens.map { span($0, first) }.joined()
    let isFolded = words != nil || self.prompt.utf8.count > PictureText.longPrompt
    let folded = showsPrompt && isFolded ? PictureText.folded(self.prompt, words: words) : ""
    let prompt = showsPrompt && !isFolded ? "<span class=\"hm-prompt\">\(escaped(self.prompt))</span>" : ""
    let rest = rest.isEmpty ? "" : "<span class=\"hm-rest\">\(escaped(PictureText.clipped(rest, to: 100_000)))</span>"
    let data = tokens.isEmpty ? "" : " data-map=\"\(escaped(self.data(shadings)))\""
    let notes = note.map { "<p class=\"hm-note\">\(escaped($0))</p>" } ?? ""
    return """
      <div class="heat-map"\(data)>
      \(shadings.map { legend($0, isHidden: $0 != first) }.joined(separator: "\n"))\(folded)
      <p class="hm-text">\(prompt)\(marked)\(rest)</p>
      \(notes)</div>
      """
  }

  private func legend(_ shading: Shading, isHidden: Bool) -> String {
    let ticks = ticks(shading).map { "<b>\(escaped($0))</b>" }.joined()
    return """
      <div class="hm-legend" data-mode="\(shading.rawValue)"\(isHidden ? " hidden=\"\"" : "")>\
      <span class="st-scale hm-scale-\(shading.rawValue)"><i></i><span>\(ticks)</span></span>\
      <span class="hm-meaning">\(escaped(shading.meaning))</span></div>
      """
  }

  /// A token. The space before it stays outside, so that lines break there and no colour hangs over their ends.
  private func span(_ token: Token, _ shading: Shading?) -> String {
    let text = token.text
    let spaces = text.prefix { $0 == " " }
    let core = text.dropFirst(spaces.count)
    let isBlank = core.isEmpty && !spaces.isEmpty
    var kinds = ["hm-token"]
    var style = ""
    if let shading, let value = value(of: token, shading) {
      let shade = shade(value, shading)
      kinds.append(shading == .entropy ? "hm-open" : shade < 0 ? "hm-lost" : "hm-gained")
      style = " style=\"--v:\(coordinate(abs(shade)))\""
    }
    let content =
      if token.isEnd {
        "<i class=\"hm-end\"></i>"
      } else if text.isEmpty {
        "<i class=\"hm-part\"></i>"
      } else {
        isBlank ? String(spaces) : Self.withMarks(core)
      }
    let lead = isBlank ? "" : String(spaces)
    return """
      \(lead)<span class="\(kinds.joined(separator: " "))"\(style) title="\(escaped(title(token)))">\(content)</span>
      """
  }

  /// Line breaks get a mark, which is drawn by the style sheet and so is not copied with the text.
  private static func withMarks(_ text: Substring) -> String {
    text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" || $0 == "\r" }
      .map { escaped(String($0)) }.joined(separator: "<i class=\"hm-break\"></i>\n")
  }

  /// All numbers of a token.
  private func title(_ token: Token) -> String {
    var lines = [PictureText.label(token.text, tokenID: token.tokenID, isEnd: token.isEnd)]
    if let policy = token.logProbability, let reference = token.referenceLogProbability {
      lines.append(
        "log-probability \(Numbers.fixed(policy, 3)), originally \(Numbers.fixed(reference, 3)) nats "
          + "(\(Numbers.fixed(policy - reference, 3)))")
    }
    if let entropy = token.entropy { lines.append("entropy \(Numbers.fixed(entropy, 3)) nats") }
    if let advantage = token.advantage { lines.append("advantage \(Numbers.significant(advantage))") }
    return lines.joined(separator: "\n")
  }

  /// What `heatmap.js` colours and shows: alternatives of the first tokens only, so that a page stays small.
  private func data(_ shadings: [Shading]) -> String {
    var writer = JSONWriter(capacity: tokens.count * 200)
    func optional(_ value: Double?, _ writer: inout JSONWriter) {
      writer.raw(",")
      if let value, value.isFinite { writer.number(value, field: "value") } else { writer.raw("null") }
    }
    writer.raw("{")
    writer.key("modes", first: true)
    writer.list(shadings) { shading, writer in
      writer.raw("[")
      writer.string(shading.rawValue)
      writer.raw(",")
      writer.string(shading.name)
      optional(ranges[shading], &writer)
      writer.raw("]")
    }
    writer.key("labels")
    writer.list(labels) { $1.string($0) }
    writer.key("tokens")
    writer.list(Array(tokens.enumerated())) { entry, writer in
      let (index, token) = entry
      writer.raw("[")
      writer.string(PictureText.label(token.text, tokenID: token.tokenID, isEnd: token.isEnd))
      writer.raw(",")
      writer.integer(token.tokenID)
      for value in [
        token.logProbability, token.referenceLogProbability, token.entropy, token.referenceEntropy, token.advantage,
      ] { optional(value, &writer) }
      writer.raw(",")
      writer.list(index < 600 ? token.alternatives : []) { other, writer in
        writer.raw("[")
        // Only the end of a story is told without a text, as far as can be known.
        let isEnd = other.text.isEmpty && (token.isEnd || !other.isTold)
        let bare = other.text.drop { $0 == " " }
        let hasTwin = token.alternatives.contains {
          $0.tokenID != other.tokenID && $0.text.drop { $0 == " " } == bare
        }
        writer.string(PictureText.label(other.text, tokenID: other.tokenID, isEnd: isEnd, keepsSpace: hasTwin))
        for value in other.probabilities { optional(value, &writer) }
        writer.raw(other.isTold ? ",1]" : ",0]")
      }
      writer.raw("]")
    }
    writer.raw("}")
    return String(decoding: writer.bytes, as: UTF8.self)
  }
}
