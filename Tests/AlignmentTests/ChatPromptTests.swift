import Alignment
import ChatTemplates
import Checkpoints
import Foundation
import TestSupport
import Testing
import Tokenizers
import Transformers

/// Prompts that are put to a model by its chat template.
struct ChatPromptTests {
  private static let chatML =
    "{% for m in messages %}{{ '<' + m['role'] + '>' + m['content'] + eos_token }}{% endfor %}"
    + "{% if add_generation_prompt %}{{ '<assistant>' }}{% endif %}"

  /// A model of words with a chat template.
  private func model(
    template: String? = chatML, fileTemplate: String? = nil, contextLength: Int = 96
  ) throws -> TextModel {
    try withTemporaryFolder { folder in
      let tokenizer = try wordTokenizer()
      let network = try randomModel(
        vocabularySize: tokenizer.vocabularySize, contextLength: contextLength, endOfTextID: tokenizer.endOfTextID)
      try save(network, tokenizer, to: folder)
      if let template {
        let file = folder.appending(path: "tokenizer_config.json")
        var object = try #require(JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
        object["chat_template"] = template
        object["eos_token"] = "<|endoftext|>"
        try JSONSerialization.data(withJSONObject: object).write(to: file)
      }
      if let fileTemplate { try Data(fileTemplate.utf8).write(to: folder.appending(path: "chat_template.jinja")) }
      // The folder is gone afterwards, its files stay.
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      var files: [String: MappedBytes] = [:]
      for name in names { files[name] = MappedBytes(try Data(contentsOf: folder.appending(path: name))) }
      return try TextModel(name: "tiny", source: .embedded(name: "tiny", files: files))
    }
  }

  private func message(_ role: String, _ content: String) -> ChatMessage { ChatMessage(role: role, content: content) }

  @Test func `plain prompts become a user's message where that is asked for`() throws {
    let model = try model()
    let set = PromptSet(texts: ["The cat", "A dog"])
    let plain = try model.read(set, newTokens: 4)
    #expect(plain.map(\.text) == ["The cat", "A dog"] && plain.map(\.lead) == ["The cat", "A dog"])
    #expect(plain.map(\.ids) == set.prompts.indices.map { model.tokenizer.encode(["The cat", "A dog"][$0]) })
    let chat = try model.read(set, newTokens: 4, chat: .init(wrapsTexts: true))
    #expect(
      chat.map(\.text) == ["<user>The cat<|endoftext|><assistant>", "<user>A dog<|endoftext|><assistant>"])
    #expect(chat.allSatisfy { $0.isChat && $0.lead.isEmpty })
    #expect(chat.map(\.ids) == chat.map { model.tokenizer.encode($0.text, addingSpecialTokens: false) })
    // The end-of-text token within is one token.
    #expect(chat[0].ids.contains(try #require(model.endOfTextID)))
    let system = try model.read(set, newTokens: 4, chat: .init(wrapsTexts: true, system: "Be brief."))
    #expect(system[0].text == "<system>Be brief.<|endoftext|><user>The cat<|endoftext|><assistant>")
  }

  @Test func `conversations are always written by the template`() throws {
    let model = try model()
    let set = PromptSet([
      .init(.conversation([message("user", "a")])), .init(.text("b")),
      .init(.conversation([message("system", "s"), message("user", "c")])),
    ])
    #expect(
      try model.read(set, newTokens: 4).map(\.text) == [
        "<user>a<|endoftext|><assistant>", "b", "<system>s<|endoftext|><user>c<|endoftext|><assistant>",
      ])
    // A system message of the conversation's own stays.
    #expect(
      try model.read(set, newTokens: 4, chat: .init(system: "t")).map(\.text) == [
        "<system>t<|endoftext|><user>a<|endoftext|><assistant>", "b",
        "<system>s<|endoftext|><user>c<|endoftext|><assistant>",
      ])
  }

  @Test func `a template in a file of its own comes first`() throws {
    let model = try model(fileTemplate: "{{ messages[-1].content }}!")
    #expect(try model.read(PromptSet(texts: ["a"]), newTokens: 4, chat: .init(wrapsTexts: true))[0].text == "a!")
  }

  @Test func `what cannot be put to the model is refused with its place`() throws {
    func expectError(_ model: TextModel, _ set: PromptSet, _ parts: String...) {
      let error = #expect(throws: AlignmentError.self) {
        try model.read(set, newTokens: 4, chat: .init(wrapsTexts: true))
      }
      let line = error?.description ?? "nothing"
      for part in parts { #expect(line.contains(part), "'\(part)' is not in: \(line)") }
    }
    let set = PromptSet([.init(.text("a"), origin: "p.txt, line 1"), .init(.text("b"), origin: "p.txt, line 7")])
    expectError(try model(template: nil), set, "p.txt, line 1", "'tiny' has no chat template", "--chat")
    expectError(try model(template: "{% if %}"), set, "chat template that cannot be used", "line 1")
    expectError(
      try model(template: "{% if messages[0].content == 'b' %}{{ raise_exception('No b') }}{% endif %}x"), set,
      "p.txt, line 7", "cannot write this conversation", "No b")
    expectError(try model(template: "{{ '' }}"), set, "p.txt, line 1", "empty")
    let long = PromptSet([.init(.text(String(repeating: "z", count: 60)), origin: "p.txt, line 3")])
    expectError(try model(contextLength: 48), long, "p.txt, line 3", "context of 48")
    expectError(try model(), PromptSet([]), "--prompt")
    let plain = #expect(throws: AlignmentError.self) { try model(contextLength: 48).read(long, newTokens: 4) }
    #expect(plain?.description.hasPrefix("p.txt, line 3: ") == true)
  }

  @Test func `a chat's reward is that of the answer alone`() throws {
    let model = try model()
    var recipe = Recipe()
    recipe.promptTexts = TextList(["The cat", "A dog"])
    recipe.chat = true
    recipe.samples = 8
    let trainer = try PolicyTrainer(
      recipe: recipe, model: model, reference: model.model.copy(), reward: LetterReward())
    let step = try trainer.step(1)
    #expect(step.rewards == LetterReward().rewards(for: step.texts))
    #expect(Set(step.prompts.map(\.text)) == Set(trainer.prompts.map(\.text)))
    #expect(step.prompts.allSatisfy { $0.text.hasSuffix("<assistant>") })
  }

  private func set(_ lines: String..., name: String = "p.jsonl") throws -> PromptSet {
    try PromptSet(contents: Data(lines.joined(separator: "\n").utf8), path: name, column: nil)
  }

  @Test func `tools, calls of tools and names for the template reach it`() throws {
    let template =
      "{% for t in tools or [] %}{{ t | tojson }};{% endfor %}{% for m in messages %}<{{ m.role }}>"
      + "{% if m.content is string %}{{ m.content }}{% elif m.content is none %}none"
      + "{% else %}{{ m.content[0].text }}{% endif %}"
      + "{% for c in m.tool_calls or [] %}{{ c.function.name }}({{ c.function.arguments.x }}){% endfor %}{{ m.name }}"
      + "{% endfor %}{{ thinks }}{{ documents[0].title if documents }}"
    let model = try model(template: template)
    let read = try model.read(
      set(
        #"{"messages": [{"role": "user", "content": "a"}], "tools": [{"name": "f", "n": 1.5}], "chat_template_kwargs": {"thinks": true}}"#,
        #"{"prompt": [{"role": "user", "content": [{"type": "text", "text": "b"}]}, {"role": "assistant", "tool_calls": [{"function": {"name": "g", "arguments": {"x": 2}}}]}, {"role": "tool", "name": "g", "content": "c"}], "documents": [{"title": "d"}]}"#,
        #"{"messages": [{"role": "user", "content": "e"}], "tools": null}"#), newTokens: 4)
    #expect(
      read.map(\.text) == [
        #"{"name": "f", "n": 1.5};<user>aTrue"#, "<user>b<assistant>noneg(2)<tool>cgd", "<user>e",
      ])
    let wrapped = try model.read(
      set(#"{"prompt": "a", "tools": [1]}"#), newTokens: 4, chat: .init(wrapsTexts: true))
    #expect(wrapped[0].text == "1;<user>a")
  }

  @Test func `what the template cannot be given is refused by name`() throws {
    let model = try model()
    func message(_ line: String, name: String = "p.jsonl") -> String {
      do {
        _ = try model.read(set(line, name: name), newTokens: 4)
        return "no error"
      } catch {
        return "\(error)"
      }
    }
    let turn = #""messages": [{"role": "user", "content": "a"}]"#
    #expect(message(#"{"prompt": "a", "tools": [1]}"#).contains("line 1: 'tools' is for chat templates"))
    #expect(message("{\(turn), \"tools\": 3}").contains("'tools' must be a list"))
    #expect(message("{\(turn), \"chat_template_kwargs\": [1]}").contains("must be an object of names"))
    #expect(
      message("{\(turn), \"chat_template_kwargs\": {\"messages\": 1}}").contains("'messages' in chat_template_kwargs"))
    #expect(message("prompt,tools\na,b", name: "p.csv").contains("the column 'tools' is not read from CSV"))
    #expect(message(#"{"messages": [{"role": "user"}]}"#).contains("message 1 needs a role and a content"))
  }

  @Test func `the date that a template tells is the one given`() throws {
    let model = try model(template: "{{ strftime_now('%d %b %Y') }}{{ messages[0].content }}")
    let date = Date(timeIntervalSince1970: 1_709_658_249)
    let read = try model.read(
      PromptSet(texts: ["x"]), newTokens: 4, chat: .init(wrapsTexts: true, date: date))
    #expect(read[0].text == "05 Mar 2024x")
  }
}
