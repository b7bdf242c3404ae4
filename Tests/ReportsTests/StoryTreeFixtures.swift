import Foundation
import JSON
import Reports
import Runs
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

extension StoryTree.Node {
  /// A node by text, parent, probability and probability under the reference.
  init(
    _ text: String, _ parent: Int, _ probability: Float, _ reference: Float, token: Int, isEnd: Bool = false
  ) {
    self.init(
      parent: parent, tokenID: token, text: text, probability: probability, referenceProbability: reference,
      isEnd: isEnd)
  }
}

extension StoryTree {
  /// A tree of rows as for a node; the same text is the same token unless `tokens` says otherwise.
  init(_ rows: [(String, Int, Float, Float)], step: Int, tokens: [Int]? = nil) {
    self.init(
      step: step, prompt: "There was",
      nodes: rows.enumerated().map { index, row in
        let token = tokens?[index] ?? row.0.utf8.reduce(0) { $0 * 31 + Int($1) }
        return Node(row.0, row.1, row.2, row.3, token: token)
      })
  }

  /// A tree of some hundred nodes; a damaged one has tokens twice and masses that are none.
  static func random(_ random: inout Numbers64, step: Int, isDamaged: Bool) -> StoryTree {
    var tree = StoryTree(step: step, prompt: "There was", nodes: [])
    var used: Set<[Int]> = []
    var rooms: [Int: Float] = [:]
    for _ in 0..<300 {
      let parent = tree.nodes.isEmpty ? -1 : Int.random(in: -1..<tree.nodes.count, using: &random)
      if parent >= 0, tree.nodes[parent].isEnd { continue }
      let token = Int.random(in: 0..<9, using: &random)
      guard used.insert([parent, token]).inserted || isDamaged else { continue }
      let share = rooms[parent, default: 1] * Float.random(in: 0..<0.6, using: &random)
      rooms[parent, default: 1] -= share
      let mass = isDamaged ? Float.random(in: -0.5..<1.5, using: &random) : share
      tree.nodes.append(.init(" t\(token)", parent, mass, mass / 2, token: token, isEnd: token == 8))
    }
    return tree
  }

  /// The same tree with its nodes in another order, parents before children.
  func permuted(_ random: inout Numbers64) -> StoryTree {
    var places = [Int](repeating: -1, count: nodes.count)
    var ready = nodes.indices.filter { nodes[$0].parent < 0 }
    var result = StoryTree(step: step, prompt: prompt, nodes: [])
    while !ready.isEmpty {
      let next = ready.remove(at: Int.random(in: 0..<ready.count, using: &random))
      places[next] = result.nodes.count
      var node = nodes[next]
      if node.parent >= 0 { node.parent = places[node.parent] }
      result.nodes.append(node)
      ready += nodes.indices.filter { nodes[$0].parent == next }
    }
    return result
  }
}

extension StoryTreePicture {
  /// Two trees by the trained model's probabilities.
  init(_ before: StoryTree, _ after: StoryTree) {
    self.init(
      before: .init(label: "before", tree: before, probability: .policy),
      after: .init(label: "after", tree: after, probability: .policy))
  }

  /// The rows that the page's script reads.
  static func rows(_ html: String) throws -> [[JSONValue]] {
    let text = try #require(Markup(html).elements.first?.attributes["data-tree"])
    guard case .array(let rows)? = try JSONValue(parsing: Array(text.utf8))["nodes"] else {
      return []
    }
    return rows.compactMap { row in if case .array(let values) = row { values } else { nil } }
  }
}

/// Reads the boxes of a story tree's HTML with their titles.
private final class TreeReader: NSObject, XMLParserDelegate {
  private(set) var sides: [[(attributes: [String: String], title: String)]] = []
  private var isTitle = false

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String]
  ) {
    let kinds = (attributes["class"] ?? "").split(separator: " ")
    if kinds.contains("st-plot") { sides.append([]) }
    if kinds.contains("st-box") { sides[sides.count - 1].append((attributes, "")) }
    isTitle = name == "title"
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) {
    guard isTitle, let last = sides.indices.last, !sides[last].isEmpty else { return }
    sides[last][sides[last].count - 1].title += string
  }

  func parser(_ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?) {
    isTitle = false
  }
}

/// The boxes of one side as the page draws them without a script, in hundredths of it.
struct DrawnSide {
  struct Box {
    var x, y, width, height: Double
    var title: String
  }

  var boxes: [Box]

  func top(of word: String) throws -> Double {
    let box = try #require(boxes.first { $0.title.hasPrefix("…\(word)\n") }, "\(word) is not drawn")
    return (box.y * 1000).rounded() / 1000
  }
}

extension String {
  /// The two sides of a story tree's HTML.
  var sides: [DrawnSide] {
    get throws {
      let reader = TreeReader()
      let parser = XMLParser(data: Data(utf8))
      parser.delegate = reader
      #expect(parser.parse())
      return try reader.sides.map { side in
        DrawnSide(
          boxes: try side.map { attributes, title in
            func share(_ name: String) throws -> Double {
              try #require(Double((attributes[name] ?? "").dropLast()))
            }
            return .init(
              x: try share("x"), y: try share("y"), width: try share("width"), height: try share("height"),
              title: title)
          })
      }
    }
  }
}
