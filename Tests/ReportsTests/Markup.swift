import Foundation
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// What a document holds, read by Foundation's XML parser; a document that is not well-formed fails the test.
final class Markup: NSObject, XMLParserDelegate {
  private(set) var elements: [(name: String, attributes: [String: String])] = []
  private(set) var text = ""

  init(_ document: String, _ location: SourceLocation = #_sourceLocation) {
    super.init()
    let parser = XMLParser(data: Data(document.utf8))
    parser.delegate = self
    let isWellFormed = parser.parse()
    #expect(isWellFormed, "line \(parser.lineNumber), column \(parser.columnNumber)", sourceLocation: location)
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
    attributes: [String: String]
  ) {
    elements.append((name, attributes))
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }

  /// The elements whose class is `name` or contains it as a word.
  func count(ofClass name: String) -> Int {
    elements.filter { ($0.attributes["class"] ?? "").split(separator: " ").contains(Substring(name)) }.count
  }

  /// Every number of the path data in the document.
  var pathNumbers: [Double] {
    elements.compactMap { $0.attributes["d"] }.flatMap { path in
      path.split { "MLZ ".contains($0) }.map { Double($0) ?? .nan }
    }
  }
}
