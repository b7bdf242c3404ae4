public import Foundation

/// A model of another format, presented as the files of a Hugging Face folder.
public struct ConvertedModel: Sendable {
  /// The path of the file that it comes from, for messages.
  public var name: String
  /// `config.json`, `tokenizer.json` and the like, made from what the file says.
  public var files: [String: Data]
  /// The weights, with the names and shapes that transformers gives them.
  public var weights: any TensorSource
  /// What a checksum is taken of.
  public var weightFile: MappedBytes
  /// What a user is to know about the file, a sentence each.
  public var notes: [String] = []

  /// A model of the parts given.
  public init(name: String, files: [String: Data], weights: any TensorSource, weightFile: MappedBytes) {
    self.name = name
    self.files = files
    self.weights = weights
    self.weightFile = weightFile
  }
}
