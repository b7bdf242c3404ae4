import Foundation
import Reports
import TestSupport
import Testing

/// The variables of one block of a style sheet that start as `head` says.
private func variables(of sheet: String, head: String) throws -> [String: String] {
  let start = try #require(sheet.range(of: head))
  let block = sheet[start.upperBound...].prefix { $0 != "}" }
  var found: [String: String] = [:]
  for declaration in block.split(separator: ";") {
    let parts = declaration.split(separator: ":", maxSplits: 1)
      .map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }
    if parts.count == 2, parts[0].hasPrefix("--") { found[parts[0]] = parts[1] }
  }
  return found
}

/// The relative luminance of a colour such as `#0072b2` (WCAG 2.2).
private func luminance(_ color: String) throws -> Double {
  let value = try #require(Int(color.dropFirst(), radix: 16))
  let parts = [value >> 16, value >> 8 & 255, value & 255].map { part -> Double in
    let share = Double(part) / 255
    return share <= 0.04045 ? share / 12.92 : pow((share + 0.055) / 1.055, 2.4)
  }
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
}

private func contrast(_ one: String, _ other: String) throws -> Double {
  let values = try [luminance(one), luminance(other)].sorted()
  return (values[1] + 0.05) / (values[0] + 0.05)
}

@Suite("Files of the page") struct PageAssetTests {
  @Test func `files are found by name, and nothing is found by another`() {
    #expect(pageAsset("theme.css").contains("--ground:"))
    #expect(pageAsset("report.css").contains("main {"))
    #expect(pageAsset("charts.js").contains("TinyAlign.charts"))
    for name in ["", "theme", "../theme.css", "page/theme.css", "default.yaml", "../tinystories/config.json"] {
      #expect(pageAsset(name).isEmpty, "\(name)")
    }
  }

  @Test func `light and dark have the same variables, whoever chooses`() throws {
    let sheet = pageAsset("theme.css")
    let light = try variables(of: sheet, head: ":root {")
    let dark = try variables(of: sheet, head: ":root:not([data-theme=\"light\"]) {")
    let chosen = try variables(of: sheet, head: ":root[data-theme=\"dark\"] {")
    #expect(dark == chosen)
    let names = [
      "ground", "card", "ink", "muted", "hairline", "rule", "accent", "cool", "hot", "warn-ground", "warn-rule",
      "note-ground", "note-rule", "lost", "lost-soft", "gained", "gained-soft", "c0", "c1", "c2", "c3", "c4", "c5",
    ].map { "--\($0)" }
    #expect(Set(dark.keys) == Set(names))
    #expect(Set(light.keys) == Set(names + ["--sans", "--serif", "--mono"]))
    #expect(Set(names.prefix(6).compactMap { light[$0] }).isDisjoint(with: names.prefix(6).compactMap { dark[$0] }))
  }

  @Test func `words stand out from every ground that they stand on`() throws {
    let sheet = pageAsset("theme.css")
    for head in [":root {", ":root[data-theme=\"dark\"] {"] {
      let colors = try variables(of: sheet, head: head)
      func color(_ name: String) throws -> String { try #require(colors["--\(name)"]) }
      for ground in ["ground", "card", "warn-ground", "note-ground", "lost-soft", "gained-soft"] {
        #expect(try contrast(color("ink"), color(ground)) >= 7, "ink on \(ground)")
      }
      for ground in ["ground", "card"] {
        #expect(try contrast(color("muted"), color(ground)) >= 4.5, "muted on \(ground)")
        #expect(try contrast(color("accent"), color(ground)) >= 4.5, "accent on \(ground)")
        #expect(try contrast(color("lost"), color(ground)) >= 3, "lost on \(ground)")
        #expect(try contrast(color("gained"), color(ground)) >= 3, "gained on \(ground)")
      }
    }
  }

  @Test func `scripts cannot end their element early and write no markup`() {
    for name in ["charts.js", "tree.js", "heatmap.js", "recipe.js"] {
      let script = pageAsset(name)
      #expect(!script.isEmpty, "\(name)")
      for word in ["</script", "<!--", "innerHTML", "eval(", "document.write", "https:", "fetch("] {
        #expect(!script.contains(word), "\(name): \(word)")
      }
      #expect(script.ranges(of: "http:").count == script.ranges(of: "http://www.w3.org/2000/svg").count, "\(name)")
    }
  }
}
