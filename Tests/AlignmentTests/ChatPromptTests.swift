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
}
