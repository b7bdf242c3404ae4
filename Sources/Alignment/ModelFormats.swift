import Checkpoints
import Foundation
import Tokenizers

/// Presents model files of other programs as Hugging Face folders.
enum ModelFormats {
  /// The model in a file, or nil for a kind of file that holds no whole model by itself.
  ///
  /// - Throws: an error that names what is missing, damaged or unsupported.
  static func source(of file: URL) throws -> ModelSource? {
    let bytes = try MappedBytes(file: file)
    if GGUFFile.isPlausible(bytes) { return try gguf(bytes, file) }
    if Llama2CFile.isPlausible(bytes) { return try llama2C(bytes, file) }
    return nil
  }

  /// The only file in `folder` that holds a whole model, or nil where there is none or more than one.
  static func onlyModelFile(in folder: URL) -> URL? {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    let files = names.sorted().filter { [".gguf", ".bin"].contains(where: $0.hasSuffix) }
      .map { folder.appending(path: $0) }
      .filter { file in
        guard let bytes = try? MappedBytes(file: file) else { return false }
        return GGUFFile.isPlausible(bytes) || Llama2CFile.isPlausible(bytes)
      }
    return files.count == 1 ? files[0] : nil
  }

  private static func gguf(_ bytes: MappedBytes, _ file: URL) throws -> ModelSource {
    let gguf = try GGUFFile(bytes, name: file.path)
    let vocabulary = try gguf.vocabulary()
    var files = try TokenizerVocabulary(vocabulary, source: file.path).tokenizerFiles()
    files["config.json"] = try gguf.huggingFaceConfiguration()
    var model = ConvertedModel(
      name: file.path, files: files, weights: try gguf.huggingFaceWeights(), weightFile: bytes)
    // llama.cpp warns of it in the same way.
    if vocabulary.model == "gpt2", vocabulary.pre == nil {
      model.notes.append(
        "\(file.path) does not say how texts are split into words (tokenizer.ggml.pre): the default is used, and texts may "
          + "become other tokens than the model was trained on; better convert the model again")
    }
    return .converted(model)
  }

  private static func llama2C(_ bytes: MappedBytes, _ file: URL) throws -> ModelSource {
    let model = try Llama2CFile(bytes, name: file.path)
    let (tokenizer, name) = try llama2CTokenizer(beside: file, vocabularySize: model.vocabularySize)
    var vocabulary = try TokenizerVocabulary(
      llama2C: tokenizer, vocabularySize: model.vocabularySize, source: name)
    // Its stories were trained on one after the other, each behind `<s>`, without `</s>`: the next one's beginning ends a story.
    vocabulary.endID = vocabulary.beginningID
    var files = try vocabulary.tokenizerFiles()
    files["config.json"] = model.huggingFaceConfiguration()
    return .converted(
      ConvertedModel(name: file.path, files: files, weights: model.huggingFaceWeights(), weightFile: bytes))
  }

  /// The tokenizer of a llama2.c model: a file of its own, named for the vocabulary's size or plainly.
  private static func llama2CTokenizer(beside file: URL, vocabularySize: Int) throws -> (data: Data, name: String) {
    let folder = file.deletingLastPathComponent()
    let names = ["tok\(vocabularySize).bin", "tokenizer.bin"]
    for name in names {
      let url = folder.appending(path: name)
      do {
        return (try MappedBytes(file: url, limit: 64 << 20).data, url.path)
      } catch CheckpointError.missingFile {
        continue
      }
    }
    throw CheckpointError.missingFile(
      path: folder.appending(path: names[0]).path,
      hint: "llama2.c keeps the tokenizer in a file of its own; put it there, or as \(names[1])")
  }
}

extension TokenizerVocabulary {
  fileprivate init(_ vocabulary: GGUFVocabulary, source: String) {
    self.init(
      model: vocabulary.model, pre: vocabulary.pre, tokens: vocabulary.tokens, scores: vocabulary.scores,
      types: vocabulary.types, merges: vocabulary.merges, beginningID: vocabulary.beginning, endID: vocabulary.end,
      unknownID: vocabulary.unknown, paddingID: vocabulary.padding, addsBeginning: vocabulary.addsBeginning,
      addsEnd: vocabulary.addsEnd ?? false, addsSpacePrefix: vocabulary.addsSpacePrefix ?? true,
      chatTemplate: vocabulary.chatTemplate, source: source)
  }
}

extension GGUFVocabulary {
  init(_ vocabulary: TokenizerVocabulary) {
    self.init(model: vocabulary.model, tokens: vocabulary.tokens)
    pre = vocabulary.pre
    scores = vocabulary.scores
    types = vocabulary.types
    merges = vocabulary.merges
    beginning = vocabulary.beginningID
    end = vocabulary.endID
    unknown = vocabulary.unknownID
    padding = vocabulary.paddingID
    addsBeginning = vocabulary.addsBeginning
    addsEnd = vocabulary.addsEnd
    addsSpacePrefix = vocabulary.addsSpacePrefix
    chatTemplate = vocabulary.chatTemplate
  }
}
