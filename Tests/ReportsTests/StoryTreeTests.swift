import Foundation
import JSON
import Reports
import Runs
import TestSupport
import Testing

@Suite("Story tree") struct StoryTreeTests {
  @Test func `branches are matched by their tokens, and what a side lacks counts to its rest`() {
    let before = StoryTree(
      [("a", -1, 0.6, 0), (" girl", 0, 0.5, 0), (" boy", 0, 0.25, 0), (" an", -1, 0.3, 0)], step: 0)
    let after = StoryTree([("a", -1, 0.8, 0), (" cat", 0, 0.7, 0), (" girl", 0, 0.1, 0)], step: 9)
    let tree = StoryTreePicture(before, after).branches
    #expect(tree.branches.map(\.text) == ["a", " an", " cat", " girl", " boy"])
    #expect(tree.branches.map(\.parent) == [-1, -1, 0, 0, 0])
    #expect(tree.branches.map(\.depth) == [1, 1, 2, 2, 2])
    let paths: [[Double?]] = [[0.6, 0.8], [0.3, nil], [nil, 0.56], [0.3, 0.08], [0.15, nil]]
    for (index, path) in paths.enumerated() {
      for side in 0..<2 { #expect(isClose(tree.path(index, side: side), path[side]), "branch \(index), side \(side)") }
    }
    #expect(isClose(tree.other(of: -1, side: 0), 0.1))
    #expect(isClose(tree.other(of: -1, side: 1), 0.2))
    #expect(isClose(tree.other(of: 0, side: 0), 0.15))
    #expect(isClose(tree.other(of: 0, side: 1), 0.16))
    // The cat had at most the 15 in 100 that were not told apart; the boy has at most 16 in 100: he may have gained.
    #expect(tree.change(of: 2).text == "≥ ×3.7")
    #expect(tree.change(of: 3).text == "÷3.8")
    #expect(tree.change(of: 4) == .unknown)
    #expect(tree.change(of: 1).text == "≤ ÷1.5")
  }

  @Test func `one tree can be both sides, by the reference and by the policy`() {
    let tree = StoryTree([("a", -1, 0.9, 0.8), (" cat", 0, 0.5, 0.02), (" dog", 0, 0.1, 0.6)], step: 4)
    let branches = StoryTreePicture(
      before: .init(label: "before", tree: tree, probability: .reference),
      after: .init(label: "after", tree: tree, probability: .policy)
    ).branches
    #expect(branches.branches.map(\.text) == ["a", " dog", " cat"])
    #expect(isClose(branches.path(2, side: 0), 0.016))
    #expect(isClose(branches.path(2, side: 1), 0.45))
    #expect(branches.change(of: 2).text == "×28")
    #expect(branches.change(of: 1).text == "÷5.3")
  }

  @Test func `a tree from before training is completed by what a later one says of the original`() {
    let before = StoryTree([("a", -1, 0.8, 0.8), (" girl", 0, 0.5, 0.5)], step: 0)
    let after = StoryTree([("a", -1, 0.9, 0.8), (" cat", 0, 0.7, 0.01), (" girl", 0, 0.1, 0.5)], step: 9)
    let tree = StoryTreePicture(before, after).branches
    #expect(tree.branches.map(\.text) == ["a", " cat", " girl"])
    #expect(isClose(tree.path(1, side: 0), 0.008) && isClose(tree.path(1, side: 1), 0.63))
    #expect(isClose(tree.other(of: 0, side: 0), 0.392))
    #expect(tree.change(of: 1).text == "×79")
    // Another prompt's tree says nothing of this one.
    var elsewhere = after
    elsewhere.prompt = "Once"
    #expect(StoryTreePicture(before, elsewhere).branches.path(1, side: 0) == nil)
  }

  @Test(arguments: 0..<60) func `children and rest add up to their parent on both sides`(_ seed: Int) {
    var random = Numbers64(state: UInt64(seed))
    let isDamaged = seed % 2 == 1
    let sides = (0..<2).map { StoryTree.random(&random, step: $0, isDamaged: isDamaged) }
    let tree = StoryTreePicture(sides[0], sides[1]).branches
    #expect(!tree.branches.isEmpty)
    for side in 0..<2 {
      for parent in -1..<tree.branches.count {
        let children = tree.children(of: parent)
        let sum = children.reduce(0) { $0 + (tree.path($1, side: side) ?? 0) }
        guard let mass = tree.path(parent, side: side), let rest = tree.other(of: parent, side: side) else {
          #expect(sum == 0)
          continue
        }
        #expect((0...1).contains(mass) && rest >= 0)
        #expect(abs(sum + rest - mass) < 1e-6, "branch \(parent), side \(side): \(sum) + \(rest) is not \(mass)")
        #expect(children.allSatisfy { tree.branches[$0].parent == parent })
      }
      let boxes = TreeLayout(tree, side: side, columns: 1000, smallest: 0).boxes
      for box in boxes where box.branch != nil {
        let inside = boxes.filter { $0.parent == box.branch }
        guard !inside.isEmpty else { continue }
        #expect(abs(inside.reduce(0) { $0 + $1.height } - box.height) < 1e-6)
        var top = box.top
        for child in inside {
          #expect(abs(child.top - top) < 1e-6 && child.column == box.column + 1)
          top += child.height
        }
      }
    }
  }

  @Test(arguments: 0..<20) func `a permuted list of nodes gives the same picture`(_ seed: Int) {
    var random = Numbers64(state: UInt64(seed) + 500)
    let sides = (0..<2).map { StoryTree.random(&random, step: $0, isDamaged: seed % 2 == 1) }
    let picture = StoryTreePicture(sides[0], sides[1])
    let permuted = StoryTreePicture(sides[0].permuted(&random), sides[1].permuted(&random))
    #expect(sides[0].permuted(&random) != sides[0])
    #expect(picture.html == permuted.html)
    #expect(picture.svg == permuted.svg)
  }

  @Test func `siblings stand in one order on both sides, by the larger of their probabilities`() throws {
    let before = StoryTree([("girl", -1, 0.5, 0), ("boy", -1, 0.3, 0), ("cat", -1, 0.1, 0)], step: 0)
    let after = StoryTree([("cat", -1, 0.6, 0), ("boy", -1, 0.25, 0), ("girl", -1, 0.05, 0)], step: 1)
    let figures = try StoryTreePicture(before, after).html.sides
    let tops = try figures.map { side in try ["cat", "girl", "boy"].map { word in try side.top(of: word) } }
    #expect(tops == [[0, 10, 60], [0, 60, 65]])
  }

  @Test func `thousands of nodes and hundreds of levels stay a small picture`() {
    var random = Numbers64(state: 3)
    var wide = StoryTree(step: 0, prompt: "p", nodes: [])
    for index in 0..<6000 {
      let parent = index < 100 ? -1 : Int.random(in: 0..<100, using: &random)
      wide.nodes.append(.init("w\(index)", parent, 0.01, 0.012, token: index))
    }
    var deep = StoryTree(step: 0, prompt: "p", nodes: [])
    for index in 0..<3000 { deep.nodes.append(.init("d\(index)", index - 1, 0.999, 0.9995, token: index)) }
    for tree in [wide, deep] {
      let picture = StoryTreePicture(tree, tree)
      #expect(picture.branches.branches.count == TreeBranches.capacity)
      #expect(picture.html.utf8.count < 600_000)
      #expect(picture.svg.utf8.count < 600_000)
      _ = (Markup(picture.html), Markup(picture.svg))
    }
    #expect(StoryTreePicture(deep, deep).branches.depth == 500)
  }

  @Test func `absurd numbers and broken parents draw something or nothing, but never fail`() {
    let absurd: [Float] = [-1, 2, 1e30, -1e30, .infinity, -.infinity, .nan, 0, .leastNonzeroMagnitude, 1]
    var nodes: [StoryTree.Node] = []
    for (index, value) in absurd.enumerated() {
      for (other, reference) in absurd.enumerated() {
        let parents = [-1, index, nodes.count, nodes.count + 3, Int.max, Int.min, 0]
        let parent = parents[(index * 3 + other) % parents.count]
        nodes.append(.init("t", parent, value, reference, token: (index + other) % 7))
      }
    }
    nodes.append(.init("end", -1, 0.5, 0.5, token: Int.min, isEnd: true))
    nodes.append(.init("after the end", nodes.count - 1, 0.5, 0.5, token: Int.max))
    let tree = StoryTree(step: .max, prompt: "", nodes: nodes)
    for picture in [StoryTreePicture(tree, tree), StoryTreePicture(tree, StoryTree(step: 0, prompt: "", nodes: []))] {
      #expect(!picture.branches.branches.contains { $0.text == "after the end" })
      for text in [picture.html, picture.svg] {
        _ = Markup(text)
        #expect(!text.contains("nan") && !text.contains("inf"))
      }
    }
    let empty = StoryTree(step: 0, prompt: "", nodes: [])
    #expect(StoryTreePicture(empty, empty).html.contains("There is nothing in this story tree."))
    _ = Markup(StoryTreePicture(empty, empty).svg)
  }

  @Test func `what tokens and labels say stays text`() throws {
    let hostile = [
      "<script>alert(1)</script>", "\"'><img src=x onerror=alert(1)>", "\u{202E}txet\u{2066}", "\u{0}\u{1B}]0;\u{7}",
      "</svg></div>", "&lt;&amp;", "]]>", "\u{FFFE}\u{FFFF}\u{2028}", String(repeating: "e\u{301}\u{302}", count: 5000),
      String(repeating: "x", count: 200_000), "🐈‍⬛", "שלום", "\\u0022",
    ]
    let nodes = hostile.enumerated().map { StoryTree.Node($1, -1, 0.07, 0.07, token: $0) }
    for text in hostile {
      let tree = StoryTree(step: 1, prompt: text, nodes: nodes)
      let side = StoryTreePicture.Side(label: text, tree: tree, probability: .policy)
      let picture = StoryTreePicture(before: side, after: side)
      for document in [picture.html, picture.svg] {
        let markup = Markup(document)
        #expect(!markup.elements.contains { ["script", "img"].contains($0.name) })
        #expect(!markup.elements.contains { $0.attributes.keys.contains { $0.hasPrefix("on") } })
        #expect(!document.unicodeScalars.contains { (0x202A...0x202E).contains($0.value) || $0.value == 0 })
        #expect(document.utf8.count < 120_000)
      }
      let rows = try StoryTreePicture.rows(picture.html)
      #expect(rows.count == hostile.count)
      #expect(rows.contains { $0[2].stringValue == "\"'><img src=x onerror=alert(1)>" })
    }
  }

  @Test func `labels mark spaces and line breaks only where it matters`() throws {
    let nodes: [(String, Bool)] = [
      (" cat", false), ("cat", false), (" dog", false), ("\n\n", false), (" ", false), ("", false), ("", true),
      (".\r\n", false), ("\t", false),
    ]
    let tree = StoryTree(
      step: 1, prompt: "p", nodes: nodes.enumerated().map { .init($1.0, -1, 0.1, 0.1, token: $0, isEnd: $1.1) })
    let labels = try StoryTreePicture.rows(StoryTreePicture(tree, tree).html).compactMap { $0[1].stringValue }
    #expect(labels == ["␣cat", "cat", "dog", "⏎⏎", "␣", "‹5›", "∎ end", ".⏎", "⇥"])
  }

  @Test func `the colour is the logarithm of the change, full at 16`() {
    let ratios: [Double] = [1, 2, 4, 16, 1000, .infinity, 0.5, 0.25, 0.0625, 1e-9, 0]
    let expected: [Double] = [0, 0.25, 0.5, 1, 1, 1, -0.25, -0.5, -1, -1, -1]
    #expect(ratios.map { MassChange.exactly($0).shade } == expected)
    #expect(MassChange.exactly(.nan).shade == 0)
    #expect(MassChange.unknown.shade == 0)
    let texts = [1.0, 1.26, 9.94, 9.96, 120, 12_345, 0.5, 0.01, .infinity, 0].map { MassChange.exactly($0).text }
    #expect(texts == ["×1.0", "×1.3", "×9.9", "×10", "×120", "×9,999+", "÷2.0", "÷100", "from 0", "to 0"])
  }

  @Test func `a sentence says which token gained and which lost`() {
    let tree = StoryTree(
      [
        (" a", -1, 0.9, 0.9), (" cat", 0, 0.52, 0.01), (" little", 0, 0.3, 0.4), (" cat", 2, 0.5, 0.02),
        (" girl", 2, 0.1, 0.7), (" cat", 1, 0.4, 0.4),
      ], step: 7, tokens: [1, 2, 3, 2, 4, 2])
    let picture = StoryTreePicture(
      before: .init(label: "before", tree: tree, probability: .reference),
      after: .init(label: "after", tree: tree, probability: .policy))
    let (gained, lost) = picture.movers
    #expect(gained?.label == "cat" && lost?.label == "girl")
    #expect(isClose(gained?.before, 0.0162) && isClose(gained?.after, 0.603))
    #expect(isClose(lost?.before, 0.252) && isClose(lost?.after, 0.027))
    #expect(
      picture.finding
        == "As far as this tree reaches, “cat” was in at least 1.6% of the completions and is now in at least "
        + "60%; “girl” was in at least 25% and is now in at least 2.7%.")
    #expect(StoryTreePicture(tree, tree).finding == nil)
  }

  @Test func `pictures are readable without a script and lie in their frame`() throws {
    var random = Numbers64(state: 77)
    let sides = (0..<2).map { StoryTree.random(&random, step: $0, isDamaged: false) }
    let picture = StoryTreePicture(sides[0], sides[1])
    for side in try picture.html.sides {
      #expect(!side.boxes.isEmpty)
      for box in side.boxes {
        #expect(box.x >= 0 && box.x + box.width < 100.001 && box.y >= 0 && box.y + box.height < 100.001)
      }
    }
    let file = Markup(picture.svg)
    let words = file.elements.filter { $0.name == "text" }
    #expect(words.count > 10)
    #expect(words.allSatisfy { Double($0.attributes["x"] ?? "") != nil && Double($0.attributes["y"] ?? "") != nil })
  }
}

private func isClose(_ value: Double?, _ expected: Double?) -> Bool {
  switch (value, expected) {
  case (nil, nil): true
  case (let value?, let expected?): abs(value - expected) < 1e-6
  default: false
  }
}
