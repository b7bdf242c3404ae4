import ChatTemplates
import Foundation
import TestSupport
import Testing

/// A conversation as the golden files have it, and what Jinja makes of it.
struct GoldenCase: Decodable {
  var messages: [ChatMessage]
  var generation: Bool
  /// Nil where Jinja refuses.
  var text: String?
}

struct GoldenTemplate: Decodable {
  var name: String
  var template: String
  var bos: String
  var eos: String
  var cases: [GoldenCase]
}

struct GoldenExpressions: Decodable {
  struct Case: Decodable {
    var template: String
    var text: String?
  }
  var messages: [ChatMessage]
  var cases: [Case]
}

struct ChatTemplateTests {
  /// 5 March 2024, 17:04:09 in Greenwich, as in the golden script.
  private let now = Date(timeIntervalSince1970: 1_709_658_249)

  private func templates() throws -> [GoldenTemplate] {
    try JSONDecoder().decode([GoldenTemplate].self, from: golden("templates.json", in: .module))
  }

  private func expressions() throws -> GoldenExpressions {
    try JSONDecoder().decode(GoldenExpressions.self, from: golden("expressions.json", in: .module))
  }

  /// Whether two texts are the same bytes: for Swift, é is é, however it is written.
  private func isSame(_ a: String?, _ b: String?) -> Bool { a.map { Array($0.utf8) } == b.map { Array($0.utf8) } }

  private func check(_ golden: GoldenTemplate) throws {
    let template = try ChatTemplate(source: golden.template)
    for (index, expected) in golden.cases.enumerated() {
      let text: String?
      var problem = ""
      do {
        text = try template.render(
          messages: expected.messages, addGenerationPrompt: expected.generation, bosToken: golden.bos,
          eosToken: golden.eos, date: now)
      } catch {
        text = nil
        problem = "\(error)"
      }
      #expect(
        isSame(text, expected.text),
        "\(golden.name), \(index): \(problem) \(text ?? "nothing") instead of \(expected.text ?? "a refusal")")
    }
  }

  @Test func `conversations are written as Jinja writes them`() throws {
    let templates = try templates()
    #expect(templates.count == 6 && templates.allSatisfy { $0.cases.count == 24 })
    for template in templates { try check(template) }
  }

  @Test func `templates from a folder are written as Jinja writes them`() throws {
    guard let folder = ProcessInfo.processInfo.environment["TINYALIGN_CHAT_TEMPLATES"] else { return }
    let data = try Data(contentsOf: URL(filePath: folder).appending(path: "templates.json"))
    for golden in try JSONDecoder().decode([GoldenTemplate].self, from: data) {
      do {
        try check(golden)
      } catch {
        Issue.record("\(golden.name): \(error)")
      }
    }
  }

  @Test func `each feature does what it does in Jinja`() throws {
    let golden = try expressions()
    #expect(golden.cases.count > 170 && golden.cases.count { $0.text == nil } > 60)
    for expected in golden.cases {
      var problem = ""
      var text: String?
      do {
        text = try ChatTemplate(source: expected.template).render(
          messages: golden.messages, addGenerationPrompt: true, bosToken: "<s>", eosToken: "</s>", date: now)
      } catch {
        problem = "\(error)"
        #expect(problem.hasPrefix("line ") && !problem.contains("\n"), "\(problem)")
      }
      #expect(
        isSame(text, expected.text),
        "\(expected.template)\n   \(problem) \(text ?? "nothing") instead of \(expected.text ?? "a refusal")")
    }
  }

  private func render(_ source: String, _ messages: [ChatMessage] = [], date: Date? = nil) throws -> String {
    try ChatTemplate(source: source)
      .render(messages: messages, addGenerationPrompt: true, bosToken: "<s>", eosToken: "</s>", date: date)
  }

  private func expectError(_ source: String, _ parts: String..., location: SourceLocation = #_sourceLocation) {
    let error = #expect(throws: ChatTemplateError.self, sourceLocation: location) { try render(source) }
    for part in parts {
      #expect(error?.description.contains(part) == true, "\(error?.description ?? "nothing")", sourceLocation: location)
    }
  }

  @Test func `errors name the line and what is wrong`() {
    expectError("a\n{% if 1 %}\n{{ 1 | frobnicate }}\n{% endif %}", "line 3", "'frobnicate'")
    expectError("\n{% include 'x' %}", "line 2", "'include' is not supported")
    expectError("{% if 1 %}\n\n", "line 1", "no 'endif'")
    expectError("a\n\n{{ 'x", "line 3", "string", "does not end")
    expectError("{{ nothing.there }}", "'nothing'", "undefined")
    expectError("{{ raise_exception('Only\nusers') }}", "it says: Only users")
    expectError("{% macro m() %}\n{{ 1 is odd_ish }}{% endmacro %}\n\n{{ m() }}", "line 2", "'odd_ish'")
    expectError("{% call m() %}{% endcall %}", "'m' is undefined")
    expectError("{% call m %}{% endcall %}", "'call' needs a call")
    expectError("{% for x in [] recursive %}{% endfor %}", "recursive")
    expectError(String(repeating: " ", count: ChatTemplate.longestSource + 1), "bytes")
  }

  @Test func `without a date there is no strftime_now`() throws {
    let source = "{% if strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% else %}26 Jul 2024{% endif %}"
    #expect(try render(source) == "26 Jul 2024")
    #expect(try render(source, date: now) == "05 Mar 2024")
    expectError("{{ strftime_now('%d') }}", "'strftime_now' is undefined")
    #expect(throws: ChatTemplateError.self) { try render("{{ strftime_now('%Q') }}", date: now) }
    #expect(throws: ChatTemplateError.self) { try render("{{ strftime_now('%') }}", date: now) }
  }

  // MARK: - What a template from outside may try

  @Test(arguments: [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "{% set ns = namespace(x='ab') %}{% for a in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x='ab') %}{% for a in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x=[1]) %}{% for a in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x=[1]) %}{% for a in range(30) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace(x=[1]) %}{% for a in range(30) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson }}",
    "{% set ns = namespace(x=[1]) %}{% for a in range(30) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x == ns.x }}",
    "{% set ns = namespace(x=[]) %}{% for a in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}",
    "{% set ns = namespace(x={}) %}{% for a in range(99999) %}{% set ns.x = {'a': ns.x} %}{% endfor %}",
    "{% set ns = namespace() %}{% set ns.x = ns %}", "{% set ns = namespace() %}{{ [ns] }}",
    "{% set ns = namespace(x=0) %}{% for a in range(999) %}{% set ns = namespace(x=ns) %}{% endfor %}",
    "{% set ns = namespace(x=0) %}{% for a in range(9) %}{% for b in [ns.x] %}{% set ns.x = loop %}{% endfor %}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
    "{% macro m(n) %}{{ m(n) }}{{ m(n) }}{% endmacro %}{{ m(1) }}",
    "{{ 'ab' * 999999999 }}", "{{ 'ab' * 9223372036854775807 }}", "{{ [1] * 9223372036854775807 }}",
    "{{ '' * 9223372036854775807 }}", "{{ [] * 9223372036854775807 }}",
    "{{ ('x' * 99999).replace('x', 'y' * 99999) }}", "{{ ('x,' * 99999).split(',') | join('y' * 99999) }}",
    "{{ 'a' | indent(9223372036854775807) }}", "{{ 'a' | indent(-1) }}",
    "{{ [1] | tojson(indent=9223372036854775807) }}",
    "{{ [1] | tojson(indent=-9223372036854775807) }}", "{{ range(-9223372036854775807, 9223372036854775807) }}",
    "{{ 9223372036854775807 + 1 }}", "{{ -9223372036854775807 - 2 }}", "{{ 9223372036854775807 * 2 }}",
    "{{ (-9223372036854775807 - 1) // -1 }}", "{{ -(-9223372036854775807 - 1) }}",
    "{{ (-9223372036854775807 - 1) | abs }}",
    "{{ 2 ** 64 }}", "{{ 2 ** 9223372036854775807 }}", "{{ 2 ** -1 }}", "{{ 99999999999999999999 }}",
    "{{ [9223372036854775807, 1] | sum }}", "{{ '\\ud800' }}", "{{ '\\U00110000' }}", "{{ '\\xZ' }}",
    "{{ '\\N{DASH}' }}",
  ])
  func `what has no end or bottom is refused`(source: String) {
    #expect(throws: ChatTemplateError.self) { try render(source) }
  }

  @Test(arguments: [
    "{{ 'abc'[9223372036854775807:] }}", "{{ 'abc'[-9223372036854775807:-9223372036854775807] }}",
    "{{ 'abc'[::9223372036854775807] }}", "{{ 'abc'[::-9223372036854775807] }}", "{{ [1][9223372036854775807] }}",
    "{{ [1][-9223372036854775807 - 1] is defined }}", "{{ range(0, 5, 9223372036854775807) | list }}",
    "{{ range(5, 0, -9223372036854775807) | list }}", "{{ range(9223372036854775805, 9223372036854775807) | list }}",
    "{{ 1e308 | int }}", "{{ (0 * (1e308 * 10)) | int }}", "{{ 'nan' | float }}", "{{ '1e999' | int }}",
    "{{ 1e308 * 1e308 }}", "{{ (-9223372036854775807 - 1) % -1 }}", "{{ 1 ** 9223372036854775807 }}",
    "{{ (-1) ** 9223372036854775807 }}", "{{ 0 ** 9223372036854775807 }}", "{{ (-9223372036854775807 - 1) is even }}",
    "{{ ''[0] is defined }}{{ ''[::-1] }}{{ ''[:5] }}", "{{ 'x'.split('x', -9223372036854775807) }}",
    "{{ 'x'.replace('', 'y', 9223372036854775807) }}", "{{ (1, 2) * 2 }}",
  ])
  func `numbers at the ends of their range are met without harm`(source: String) {
    // Whether it is rendered or refused: it returns.
    _ = try? render(source)
  }

  @Test func `deep nesting is refused, whatever nests`() {
    for (open, close) in [
      ("(", ")"), ("[", "]"), ("{1:", "}"), ("not ", ""), ("-", ""), ("f(", ")"), ("1 if 1 else ", ""), ("x[", "]"),
      ("1 is in [", "]"), ("1 | default(", ")"),
    ] {
      for count in [1_000, 9_000] {
        let source = "{{ \(String(repeating: open, count: count))1\(String(repeating: close, count: count)) }}"
        let error = #expect(throws: ChatTemplateError.self) { try render(source) }
        #expect(error?.reason.contains("nested too deeply") == true, "\(open): \(error?.reason ?? "nothing")")
      }
    }
    for (open, close) in [
      ("{% if 1 %}", "{% endif %}"), ("{% for x in [1] %}", "{% endfor %}"), ("{% set x %}", "{% endset %}"),
      ("{% generation %}", "{% endgeneration %}"), ("{% macro m() %}", "{% endmacro %}"),
      ("{% if 0 %}{% else %}", "{% endif %}"), ("{% for x in [] %}{% else %}", "{% endfor %}"),
    ] {
      let source = String(repeating: open, count: 9_000) + String(repeating: close, count: 9_000)
      expectError(source, "nested too deeply")
    }
    expectError(
      "{% set \(String(repeating: "(", count: 9_000))x\(String(repeating: ")", count: 9_000)) = 1 %}",
      "nested too deeply")
  }

  @Test func `long chains are no depth`() throws {
    let count = 5_000
    func chain(_ part: String, _ separator: String) -> String {
      "{{ \([String](repeating: part, count: count).joined(separator: separator)) }}"
    }
    #expect(try render(chain("1", " + ")) == "\(count)")
    #expect(try render(chain("'a'", " ~ ")) == String(repeating: "a", count: count))
    #expect(try render(chain("1", " and ")) == "1" && render(chain("0", " or ")) == "0")
    #expect(try render(chain("1", " == ")) == "True")
    #expect(try render("{{ 'x'\(String(repeating: " | upper", count: count)) }}") == "X")
    #expect(try render("{{ 'x'\(String(repeating: ".lower()", count: count)) }}") == "x")
    let branches = String(repeating: "{% elif 0 %}", count: count)
    #expect(try render("{% if 0 %}\(branches){% else %}y{% endif %}") == "y")
    #expect(try render(String(repeating: "{{ 1 }}", count: count)).utf8.count == count)
  }

  @Test func `a large conversation is written`() throws {
    let content = String(repeating: "猫 and dog, ", count: 20_000)
    let messages = (0..<200).map { ChatMessage(role: $0.isMultiple(of: 2) ? "user" : "assistant", content: content) }
    for template in try templates() where template.name != "features" {
      let text = try ChatTemplate(source: template.template)
        .render(messages: messages, addGenerationPrompt: true, bosToken: "<s>", eosToken: "</s>")
      #expect(text.utf8.count > 200 * (content.utf8.count - 1))
    }
  }

  @Test func `every truncation and many mutations are rendered or refused`() throws {
    let messages = [ChatMessage(role: "system", content: "s"), ChatMessage(role: "user", content: "u \n")]
    var rendered = 0
    var refused = 0
    func run(_ source: String) {
      do {
        _ = try render(source, messages)
        rendered += 1
      } catch {
        #expect(error is ChatTemplateError, "\(error)")
        refused += 1
      }
    }
    let sources = try templates().map(\.template)
    for source in sources {
      for count in 0..<source.utf8.count { run(String(decoding: source.utf8.prefix(count), as: UTF8.self)) }
    }
    let rounds = fuzzRounds(default: 4_000) / sources.count
    for (index, source) in sources.enumerated() {
      forEachMutation(of: Array(source.utf8), rounds: rounds, seed: UInt64(index)) {
        run(String(decoding: $0, as: UTF8.self))
      }
    }
    let features = try expressions().cases
    for (index, feature) in features.enumerated() where !feature.template.isEmpty {
      forEachMutation(of: Array(feature.template.utf8), rounds: rounds / 20, seed: UInt64(1_000 + index)) {
        run(String(decoding: $0, as: UTF8.self))
      }
    }
    #expect(rendered > 1_000 && refused > 1_000, "\(rendered) rendered, \(refused) refused")
  }
}
