/// How many completions hold each word, whatever the case of its letters.
struct WordCount: Sendable {
  /// How many completions were counted.
  private(set) var completions = 0
  private var holding: [String: Int] = [:]

  /// No completion yet.
  init() {}

  /// Counts texts.
  init(_ texts: some Sequence<String>) { for text in texts { add(text) } }

  /// Counts a completion, without its prompt.
  mutating func add(_ text: String) {
    completions += 1
    for word in Self.words(in: text) { holding[word, default: 0] += 1 }
  }

  /// The share of the completions that hold a word, 0 to 1.
  func share(of word: String) -> Double { Double(holding[word] ?? 0) / Double(max(1, completions)) }

  /// The whole words of a text: letters, digits and marks in a row, with apostrophes and hyphens between them.
  static func words(in text: String) -> Set<String> {
    var words: Set<String> = []
    var word = ""
    func keep() {
      while let last = word.last, "'’-".contains(last) { word.removeLast() }
      if !word.isEmpty { words.insert(word) }
      word = ""
    }
    for character in text.lowercased() {
      if character.isLetter || character.isNumber || !word.isEmpty && "'’-".contains(character) {
        word.append(character)
      } else {
        keep()
      }
    }
    keep()
    return words
  }

  /// The word that more completions hold than before, and the one that fewer do; nil for changes that chance may make:
  /// of less than 5 in 100, or of less than three completions.
  static func movers(before: WordCount, after: WordCount) -> (gained: String?, lost: String?) {
    let gains = Set(before.holding.keys).union(after.holding.keys).map { word in
      (word: word, gain: after.share(of: word) - before.share(of: word))
    }
    let least = max(0.05, 3 / Double(max(1, min(before.completions, after.completions))))
    // Of words that move alike, the longer says more.
    let sorted = gains.sorted {
      ($1.gain, $1.word.count, $0.word) < ($0.gain, $0.word.count, $1.word)
    }
    let gained = sorted.first.flatMap { $0.gain >= least ? $0.word : nil }
    let lost = gains.min { ($0.gain, $1.word.count, $0.word) < ($1.gain, $0.word.count, $1.word) }
    return (gained, lost.flatMap { $0.gain <= -least ? $0.word : nil })
  }

  /// What moved, in a sentence; nil where little did.
  ///
  /// - Parameters:
  ///   - before: The earlier completions of a prompt, and their step.
  ///   - after: The later completions of the same prompt, and their step.
  static func finding(before: (step: Int, count: WordCount), after: (step: Int, count: WordCount)) -> String? {
    guard before.step < after.step, before.count.completions > 0, after.count.completions > 0 else { return nil }
    let (gained, lost) = movers(before: before.count, after: after.count)
    let parts = [gained, lost].compactMap(\.self).map { word in
      let shares = [before.count, after.count].map { PictureText.percent($0.share(of: word)) }
      return "“\(isolated(PictureText.clipped(word, to: 40)))” was in \(shares[0]) and is now in \(shares[1])"
    }
    guard !parts.isEmpty else { return nil }
    let steps = "step \(Numbers.grouped(before.step)) and step \(Numbers.grouped(after.step))"
    return "Among the completions of \(steps), \(parts.joined(separator: "; "))."
  }
}

/// What moved between a prompt's completions at two steps, in a sentence: the whole word that more of them hold than before,
/// and the one that fewer do.
///
/// - Returns: The sentence; nil where little moved.
package func wordFinding(before: (step: Int, texts: [String]), after: (step: Int, texts: [String])) -> String? {
  WordCount.finding(
    before: (before.step, WordCount(before.texts)), after: (after.step, WordCount(after.texts)))
}
