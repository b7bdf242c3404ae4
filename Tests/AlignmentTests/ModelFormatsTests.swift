import Alignment
import Checkpoints
import Foundation
import Kernels
import TestSupport
import Testing
import Tokenizers
import Transformers

/// Models in other formats than Hugging Face folders, and adapters, loaded by path.
@Suite struct ModelFormatsTests {
  private static let sentence = "Once upon a time there was a little cat."

  /// Writes a folder with a small random model and the tokenizer of the model in the program.
  private func makeFolder(_ model: any LanguageModel, at url: URL) throws {
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    try model.save(to: url, elementType: .float32)
    try TextModel.copyTokenizer(of: EmbeddedModel.name, to: url)
  }

  private func llama() throws -> Llama {
    try Llama(
      randomWith: LlamaConfiguration(
        vocabularySize: 2_048, hiddenSize: 32, intermediateSize: 48, layerCount: 2, headCount: 4, keyValueHeadCount: 2,
        contextLength: 64, endOfTextID: 0), seed: 3)
  }

  private func gpt2() throws -> GPT2 {
    try GPT2(
      randomWith: GPT2Configuration(
        vocabularySize: 2_048, hiddenSize: 32, layerCount: 2, headCount: 4, contextLength: 64, endOfTextID: 0), seed: 4)
  }

  private func scores(_ model: TextModel) -> [Float?] {
    Scorer(model.model).logProbabilities(of: [model.tokenizer.encode(Self.sentence)])[0]
  }

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  @Test(arguments: ["llama", "gpt2"])
  func `a model written as GGUF loads from the file, and from a folder with nothing else, with the same numbers`(
    architecture: String
  ) throws {
    try withTemporaryFolder { folder in
      let original = folder.appending(path: "original")
      try makeFolder(architecture == "llama" ? llama() : gpt2(), at: original)
      let model = try TextModel(named: original.path)
      let alone = folder.appending(path: "alone")
      try FileManager.default.createDirectory(at: alone, withIntermediateDirectories: true)
      let file = alone.appending(path: "model.gguf")
      try model.saveGGUF(to: file, matrices: .float32)
      for path in [file.path, alone.path] {
        let loaded = try TextModel(named: path)
        #expect(loaded.tokenizer.encode(Self.sentence) == model.tokenizer.encode(Self.sentence))
        #expect(loaded.endOfTextID == model.endOfTextID)
        #expect(scores(loaded) == scores(model))
      }
      // Saved again it is a folder like any other.
      let again = folder.appending(path: "again")
      let loaded = try TextModel(named: file.path)
      try loaded.save(loaded.model, to: again)
      #expect(scores(try TextModel(named: again.path)) == scores(model))
      #expect(try TextModel(named: again.path).tokenizer.decode([5, 300, 7]) == model.tokenizer.decode([5, 300, 7]))
      #expect(try weightsChecksum(loaded.source).count == 64)
    }
  }

  @Test func `an adapter in a folder is added to the model that it names`() throws {
    try withTemporaryFolder { folder in
      let base = folder.appending(path: "base")
      try makeFolder(llama(), at: base)
      let model = try TextModel(named: base.path)
      let adapted = try model.model.adapted(LowRankSettings(rank: 2, targets: ["v_proj", "up_proj"]), seed: 1)
      let adapter = try #require(adapted.adapter)
      for index in 0..<adapter.parameters.count {
        adapter.parameters.pointer[index] = Float(KeyedRandom(seed: 5).keyed(index).uniform) - 0.5
      }
      let place = folder.appending(path: "adapter")
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      try AdapterCheckpoint.save(adapter, of: adapted, baseModel: base.path, to: place)
      let loaded = try TextModel(named: place.path)
      let comparison = Comparison(
        scores(loaded).compactMap(\.self),
        Scorer(adapted).logProbabilities(of: [model.tokenizer.encode(Self.sentence)])[0].compactMap(\.self))
      #expect(comparison.matches(absolute: 1e-4), "\(comparison)")
      #expect(scores(loaded) != scores(model))

      let circle = folder.appending(path: "circle")
      try FileManager.default.createDirectory(at: circle, withIntermediateDirectories: true)
      try AdapterCheckpoint.save(adapter, of: adapted, baseModel: place.path, to: circle)
      #expect(message { _ = try TextModel(named: circle.path) }.contains("is an adapter itself"))
    }
  }

  @Test func `what no model can be made of is named`() throws {
    try withTemporaryFolder { folder in
      let text = folder.appending(path: "notes.txt")
      try Data("hello".utf8).write(to: text)
      #expect(message { _ = try TextModel(named: text.path) }.contains("is a file in no format of whole models"))
      let base = folder.appending(path: "base")
      try makeFolder(llama(), at: base)
      // The weights of a folder stand for the folder.
      let byFolder = scores(try TextModel(named: base.path))
      let byWeights = scores(try TextModel(named: base.appending(path: "model.safetensors").path))
      #expect(byFolder == byWeights)
      #expect(message { _ = try TextModel(named: "nobody/nothing") }.contains("tinyalign pull nobody/nothing"))
      #expect(message { _ = try TextModel(named: "no such: thing") }.contains("is neither a file or folder here"))
    }
  }

  @Test func `an architecture that GGUF does not have is refused, and nothing is written`() throws {
    let model = try TextModel(named: EmbeddedModel.name)
    try withTemporaryFolder { folder in
      let error = #expect(throws: CheckpointError.self) {
        try model.saveGGUF(to: folder.appending(path: "neo.gguf"), matrices: .float16)
      }
      let line = error?.description ?? ""
      #expect(line.contains("gpt_neo") && line.contains("Hugging Face folder"))
      let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      #expect(names.isEmpty)
    }
  }

  @Test func `a llama2.c model needs its tokenizer beside it`() throws {
    try withTemporaryFolder { folder in
      let file = folder.appending(path: "stories.bin")
      try llama2CFile(vocabularySize: 300).write(to: file)
      let missing = message { _ = try TextModel(named: file.path) }
      #expect(missing.contains("tok300.bin is missing") && missing.contains("tokenizer.bin"), "\(missing)")
      try llama2CTokenizer(vocabularySize: 300).write(to: folder.appending(path: "tokenizer.bin"))
      let model = try TextModel(named: file.path)
      #expect(model.beginningOfTextID == 1)
      #expect(model.endOfTextID == 1)
      // `<s>`, then a space, and the letters as bytes.
      #expect(try model.encode(prompt: "ab", newTokens: 1) == [1, 259, 100, 101])
      #expect(try model.encode(prompt: "", newTokens: 1) == [1])
      #expect(model.text(of: [259, 100], after: ModelPrompt(text: "b", ids: [1])) == " a")
      #expect(model.text(of: [259, 100], after: ModelPrompt(text: "", ids: [1])) == "a")
    }
  }

  /// A model of one layer, in llama2.c's first format.
  private func llama2CFile(vocabularySize: Int) -> Data {
    let (size, inner, heads, context) = (8, 12, 2, 16)
    var data = Data()
    for number in [size, inner, 1, heads, heads, vocabularySize, context] {
      withUnsafeBytes(of: Int32(number).littleEndian) { data.append(contentsOf: $0) }
    }
    let tables = 2 * context * (size / heads / 2)
    let count = vocabularySize * size + 3 * size + 4 * size * size + 3 * size * inner + tables
    for index in 0..<count {
      let value = Float(KeyedRandom(seed: 2).keyed(index).uniform) - 0.5
      withUnsafeBytes(of: value.bitPattern.littleEndian) { data.append(contentsOf: $0) }
    }
    return data
  }

  /// A vocabulary of the special tokens, all bytes, and made-up words.
  private func llama2CTokenizer(vocabularySize: Int) -> Data {
    var data = Data()
    func append(_ number: UInt32) { withUnsafeBytes(of: number.littleEndian) { data.append(contentsOf: $0) } }
    append(8)
    for id in 0..<vocabularySize {
      let hexadecimal = String(id - 3, radix: 16, uppercase: true)
      let spelling =
        id < 3
        ? ["<unk>", "\n<s>\n", "\n</s>\n"][id]
        : id < 259 ? "<0x\(hexadecimal.count == 1 ? "0" : "")\(hexadecimal)>" : id == 259 ? " " : "w\(id)"
      append(Float(-id).bitPattern)
      append(UInt32(spelling.utf8.count))
      data.append(contentsOf: spelling.utf8)
    }
    return data
  }

  @Test(arguments: ["llama", "gpt2"])
  func `stop tokens and the chat template go through GGUF`(architecture: String) throws {
    try withTemporaryFolder { folder in
      let original = folder.appending(path: "original")
      try makeFolder(architecture == "llama" ? llama() : gpt2(), at: original)
      try Data("{{ messages[0].content }}".utf8).write(to: original.appending(path: "chat_template.jinja"))
      for stops in [[7], [7, 9], [7, 9, 11, 13]] {
        let json = try JSONSerialization.data(withJSONObject: ["eos_token_id": stops])
        try json.write(to: original.appending(path: "generation_config.json"))
        let model = try TextModel(named: original.path)
        #expect(model.stopTokens == Set(stops + [0]))
        let file = folder.appending(path: "model-\(stops.count).gguf")
        let lost = try model.saveGGUF(to: file, matrices: .float32)
        #expect(lost == (stops.count > 2 ? [11, 13] : []))
        let gguf = try GGUFFile(MappedBytes(file: file), name: file.path)
        #expect(try gguf.integer("tokenizer.ggml.eos_token_id") == 0)
        #expect(try gguf.integer("tokenizer.ggml.eot_token_id") == 7)
        #expect(try gguf.integer("tokenizer.ggml.eom_token_id") == (stops.count > 1 ? 9 : nil))
        #expect(try gguf.string("tokenizer.chat_template") == "{{ messages[0].content }}")
        let loaded = try TextModel(named: file.path)
        #expect(loaded.stopTokens == model.stopTokens && loaded.endOfTextID == 0)
        // A folder made of the file names them all again.
        let again = folder.appending(path: "again-\(stops.count)")
        try loaded.save(loaded.model, to: again)
        #expect(try TextModel(named: again.path).stopTokens == model.stopTokens)
      }
    }
  }

  @Test func `a tokenizer with more tokens than the model has rows is written without these`() throws {
    try withTemporaryFolder { folder in
      let original = folder.appending(path: "original")
      try makeFolder(llama(), at: original)
      try Data(#"{"<|more|>": 2048}"#.utf8).write(to: original.appending(path: "added_tokens.json"))
      let model = try TextModel(named: original.path)
      #expect(model.tokenizer.vocabularySize == 2_049)
      let file = folder.appending(path: "model.gguf")
      try model.saveGGUF(to: file, matrices: .float32)
      #expect(try TextModel(named: file.path).tokenizer.vocabularySize == 2_048)
    }
  }
}
