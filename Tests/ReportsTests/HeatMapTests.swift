import Foundation
import JSON
import Reports
import Runs
import TestSupport
import Testing

@Suite("Heat map") struct HeatMapTests {
  @Test(arguments: 0..<40) func `the text of a story is shown as it is, token by token`(_ seed: Int) throws {
    var random = Numbers64(state: UInt64(seed))
    let pieces = [
      " a", " cat", "ty", ".", "\n", "\n\n", " ", "  two", " <b>", "&amp;", " \"quoted\"", "'s", " 🐈", "é", ".\n", "\t",
      "",
      " a\nb",
    ]
    let texts = (0..<60).map { _ in pieces[Int.random(in: 0..<pieces.count, using: &random)] }
    let map = HeatMap(story: FollowedStory.telling(texts))
    #expect(map.shownText == "There was" + texts.joined())
    #expect(Markup(map.html).count(ofClass: "hm-token") == 60)
    #expect(HeatMap(sample: SampleRecord.telling(texts), advantages: nil, tree: nil).shownText == map.shownText)
  }

  @Test func `tokens are coloured by the log-ratio, fully at the end of the scale`() {
    let ratios: [Float] = [0, 0.5, 1, -0.25, 3, 7, -9, 1.5]
    let map = HeatMap(
      sample: SampleRecord.telling(ratios.map { _ in " w" }, ratios: ratios), advantages: nil, tree: nil)
    let tokens = Markup(map.html).tokens
    let colours: [(String, Double)] = [
      ("hm-gained", 0), ("hm-gained", 0.17), ("hm-gained", 0.33), ("hm-lost", 0.08), ("hm-gained", 1),
      ("hm-gained", 1), ("hm-lost", 1), ("hm-gained", 0.5),
    ]
    #expect(tokens.map(\.kind) == colours.map(\.0))
    #expect(tokens.map(\.share) == colours.map(\.1))
    let narrow = HeatMap(sample: SampleRecord.telling([" a", " b"], ratios: [0.5, -0.8]), advantages: nil, tree: nil)
    #expect(Markup(narrow.html).tokens.map(\.share) == [0.5, 0.8])
    #expect(narrow.html.contains("<b>−1</b><b>−0.5</b><b>0</b><b>+0.5</b><b>+1</b>"))
  }

  @Test func `only what is known can be chosen`() throws {
    let texts = [" a", " cat"]
    func modes(_ map: HeatMap) throws -> [String] {
      guard case .array(let list)? = try map.data["modes"] else { return [] }
      return list.compactMap { row in if case .array(let values) = row { values.first?.stringValue } else { nil } }
    }
    let full = SampleRecord.telling(texts)
    #expect(try modes(HeatMap(sample: full, advantages: [1, -1], tree: nil)) == ["ratio", "entropy", "advantage"])
    #expect(try modes(HeatMap(sample: full, advantages: nil, tree: nil)) == ["ratio", "entropy"])
    #expect(try modes(HeatMap(sample: full, advantages: [1], tree: nil)) == ["ratio", "entropy"])
    var part = full
    part.referenceLogProbabilities = []
    #expect(try modes(HeatMap(sample: part, advantages: nil, tree: nil)) == ["entropy"])
    part.entropies = [1, 2, 3]
    #expect(try modes(HeatMap(sample: part, advantages: [2, 3], tree: nil)) == ["advantage"])
    #expect(try modes(HeatMap(story: FollowedStory.telling(texts))) == ["ratio", "entropy"])
  }

  @Test func `runs of older versions show plain text`() {
    var old = SampleRecord.telling([" a", " cat"])
    (old.tokenBytes, old.logProbabilities, old.referenceLogProbabilities, old.entropies) = ([], [], [], [])
    let map = HeatMap(sample: old, advantages: [1, 2], tree: nil)
    #expect(map.shownText == "There was a cat")
    #expect(Markup(map.html).count(ofClass: "hm-token") == 0)
    #expect(map.html.contains("did not record"))
    #expect(Markup(map.svg).text.contains("cat"))
    var untold = FollowedStory.telling([])
    untold.text = " an old <story>"
    #expect(HeatMap(story: untold).shownText == "There was an old <story>")
  }

  @Test func `the end of a story is a mark, and so is a part of a character`() {
    let ended = HeatMap(story: FollowedStory.telling([" a", "", " cat", ""], reason: .stop))
    #expect(Markup(ended.html).count(ofClass: "hm-end") == 1)
    #expect(Markup(ended.html).count(ofClass: "hm-part") == 1)
    #expect(
      Markup(HeatMap(story: FollowedStory.telling([" a", ""], reason: .length)).html).count(ofClass: "hm-end") == 0)
    #expect(
      Markup(HeatMap(story: FollowedStory.telling([".\n\n"], reason: .stop)).html).count(ofClass: "hm-break") == 2)
    #expect(Markup(ended.svg).text.contains("∎end"))
  }

  @Test func `alternatives have the told token among them, the likeliest first`() throws {
    var told = FollowedStory.telling([" cat"])
    told.tokens[0].logProbability = log(0.001)
    told.tokens[0].referenceLogProbability = log(0.002)
    told.tokens[0].alternatives = (0..<30).map { index in
      .init(tokenID: 100 + index, text: " w\(index)", probability: 0.03 - Float(index) / 1000, referenceProbability: 0)
    }
    let others = try HeatMap(story: told).alternatives(0)
    #expect(others.count == 10)
    #expect(others.map(\.isTold) == [Bool](repeating: false, count: 9) + [true])
    #expect(others.map(\.text) == (0..<9).map { "w\($0)" } + ["cat"])
    #expect(abs(others[9].after - 0.001) < 1e-6 && abs(others[9].before - 0.002) < 1e-6)
    #expect(zip(others, others.dropFirst()).allSatisfy { $0.after >= $1.after })
  }

  @Test func `a sample's alternatives come from its prompt's tree, as far as its path is in it`() throws {
    let tree = StoryTree(
      [(" a", -1, 0.9, 0.8), (" an", -1, 0.1, 0.2), (" cat", 0, 0.7, 0.1), (" dog", 0, 0.3, 0.9)], step: 5,
      tokens: [10, 11, 12, 13])
    var told = SampleRecord.telling([" a", " cat", " sat", " down"])
    told.tokenIDs = [10, 12, 14, 15]
    let map = HeatMap(sample: told, advantages: nil, tree: tree)
    #expect(try map.alternatives(0).map(\.text) == ["a", "an"])
    #expect(try map.alternatives(1).map(\.text) == ["cat", "dog"])
    #expect(try map.alternatives(1).map(\.isTold) == [true, false])
    #expect(try map.alternatives(2).isEmpty)
    #expect(try map.alternatives(3).isEmpty)
    #expect(map.html.contains("after step 5"))
    var elsewhere = told
    elsewhere.prompt = "Once"
    #expect(try HeatMap(sample: elsewhere, advantages: nil, tree: tree).alternatives(0).isEmpty)
    // A token that the tree lacks: what the tree has in its place is still told.
    told.tokenIDs = [10, 99, 12, 13]
    #expect(try HeatMap(sample: told, advantages: nil, tree: tree).alternatives(1).map(\.isTold) == [false, false])
  }

  @Test func `hostile tokens stay text`() throws {
    let hostile = [
      "<script>alert(1)</script>", "\" onmouseover=\"alert(1)", "'><img src=x onerror=alert(1)>", "\u{202E}rtl\u{2066}",
      "\u{0}\u{8}\u{1B}[31m", "</span></p></div>", "&lt;", "]]>", "\u{FFFE}\u{2028}", "\r", "\r\n",
      String(repeating: "a\u{301}", count: 3000), String(repeating: "x", count: 50_000), "שלום", "👩‍👩‍👧‍👦",
    ]
    let maps = [
      HeatMap(story: FollowedStory.telling(hostile)),
      HeatMap(sample: SampleRecord.telling(hostile), advantages: hostile.map { _ in 0.5 }, tree: nil),
    ]
    for map in maps {
      for document in [map.html, map.svg] {
        let markup = Markup(document)
        #expect(!markup.elements.contains { ["script", "img"].contains($0.name) })
        #expect(!markup.elements.contains { $0.attributes.keys.contains { $0.hasPrefix("on") } })
        #expect(!document.unicodeScalars.contains { (0x202A...0x202E).contains($0.value) || $0.value == 0 })
      }
      #expect(Markup(map.html).count(ofClass: "hm-token") == hostile.count)
      #expect(try map.data["labels"] != nil)
    }
  }

  @Test func `absurd numbers never fail`() {
    let absurd: [Float] = [.nan, .infinity, -.infinity, 1e38, -1e38, 0, -0.0, .leastNonzeroMagnitude, 3]
    var wild = FollowedStory.telling(absurd.map { _ in " w" })
    for (index, value) in absurd.enumerated() {
      wild.tokens[index].logProbability = value
      wild.tokens[index].referenceLogProbability = absurd[absurd.count - 1 - index]
      wild.tokens[index].entropy = value
      wild.tokens[index].alternatives = absurd.map {
        .init(tokenID: .max, text: "", probability: $0, referenceProbability: value)
      }
    }
    var strange = SampleRecord.telling(absurd.map { _ in " w" }, ratios: absurd)
    strange.entropies = absurd
    for map in [HeatMap(story: wild), HeatMap(sample: strange, advantages: absurd, tree: nil)] {
      for text in [map.html, map.svg] {
        _ = Markup(text)
        #expect(!text.contains("nan") && !text.contains("inf,"))
      }
    }
  }

  @Test func `very long stories are cut to a bounded page`() {
    let texts = (0..<5000).map { " word\($0)" }
    let map = HeatMap(sample: SampleRecord.telling(texts), advantages: nil, tree: nil)
    #expect(Markup(map.html).count(ofClass: "hm-token") == 2000)
    #expect(map.shownText == "There was" + texts.joined())
    #expect(map.svg.utf8.count < 2_000_000)
    #expect(HeatMap(story: FollowedStory.telling(texts)).shownText == "There was" + texts.joined())
  }

  @Test func `lines of the file wrap between words and hold every letter`() throws {
    let texts = (0..<120).map { [" word\($0)", "ly", ",", " 猫", String(repeating: "m", count: $0)][$0 % 5] }
    let file = Markup(HeatMap(story: FollowedStory.telling(texts)).svg)
    let words = file.elements.filter { $0.name == "text" && $0.attributes["textLength"] != nil }
    let width = try #require(Double(file.elements.first?.attributes["width"] ?? ""))
    for word in words {
      let x = try #require(Double(word.attributes["x"] ?? ""))
      let length = try #require(Double(word.attributes["textLength"] ?? ""))
      #expect(x >= 24 && x + length <= width - 23)
    }
    let letters = ("Therewas" + texts.joined()).filter { $0 != " " }
    #expect(file.text.filter { !$0.isWhitespace }.hasSuffix(letters))
  }
}

@Suite("Prefix advantages") struct PrefixAdvantageTests {
  @Test(arguments: 0..<20) func `each token's advantage is the mean over the samples that begin alike`(_ seed: Int) {
    var random = Numbers64(state: UInt64(seed))
    let samples = (0..<60).map { index in
      var one = SampleRecord.telling((0..<Int.random(in: 1...5, using: &random)).map { _ in " w" })
      one.index = index
      one.step = index % 10 == 9 ? 2 : 1
      one.prompt = index % 7 == 0 ? "Elsewhere" : "There was"
      one.tokenIDs = one.tokenIDs.map { _ in Int.random(in: 0..<3, using: &random) }
      one.advantage = Float.random(in: -1...1, using: &random)
      return one
    }
    for one in samples {
      let expected = one.tokenIDs.indices.map { position in
        let alike = samples.filter {
          $0.step == one.step && $0.prompt == one.prompt
            && $0.tokenIDs.prefix(position + 1) == one.tokenIDs.prefix(position + 1)
        }
        return Float(alike.reduce(0.0) { $0 + Double($1.advantage) } / Double(alike.count))
      }
      let found = prefixAdvantages(of: one, among: samples)
      #expect(found.count == expected.count)
      for (value, wanted) in zip(found, expected) { #expect(abs(value - wanted) < 1e-6) }
    }
  }

  @Test func `a sample that is not among its step's counts by itself`() {
    var one = SampleRecord.telling([" a", " cat"])
    one.advantage = 0.5
    #expect(prefixAdvantages(of: one, among: []) == [0.5, 0.5])
    one.tokenIDs = []
    #expect(prefixAdvantages(of: one, among: [one]) == [])
  }
}
