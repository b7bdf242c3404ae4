public import Foundation

/// A reader of one `.bin` file of llama2.c: of version 0 (the legacy format, stories260K among them) or of version 1.
///
/// Written from the format's description, `legacy_export` and `version1_export` of
/// https://github.com/karpathy/llama2.c/blob/master/export.py. The file's size must be what its header announces.
public struct Llama2CFile: Sendable {
  /// The file's bytes.
  public let bytes: MappedBytes
  /// The file's path, for messages.
  public let name: String
  private let header: Llama2CHeader

  /// Reads and validates the header of `bytes`; `name`, the file's path, is for messages.
  ///
  /// - Throws: ``CheckpointError`` when the header announces sizes that cannot be, or another size of the file.
  public init(_ bytes: MappedBytes, name: String) throws {
    header = try bytes.withUnsafeBytes { try Llama2CHeader($0, file: name) }
    self.bytes = bytes
    self.name = name
  }

  /// Number of tokens, which the tokenizer's own file does not say.
  public var vocabularySize: Int { header.vocabularySize }

  /// Whether bytes are such a file: a `.bin` may also be PyTorch's.
  public static func isPlausible(_ bytes: MappedBytes) -> Bool {
    bytes.withUnsafeBytes { (try? Llama2CHeader($0, file: "")) != nil }
  }

  /// The `config.json` of this model as transformers would have it.
  ///
  /// What the format leaves to the program is llama2.c's: an epsilon of 1e-5, a rotary base of 10,000, and token 1 both
  /// to begin with and to end with, since its stories were trained on one after the other, each behind that token.
  public func huggingFaceConfiguration() -> Data {
    LlamaValues(
      vocabularySize: header.vocabularySize, hiddenSize: header.hiddenSize,
      intermediateSize: header.intermediateSize, layers: header.layers, heads: header.heads,
      keyValueHeads: header.keyValueHeads, headDimension: header.headDimension, positions: header.positions,
      normEpsilon: 1e-5, tiesEmbeddings: header.sharesClassifier, beginning: 1, ends: [1]
    ).json
  }

  /// The tensors under the names, shapes and conventions of transformers.
  ///
  /// Rows of query and key heads, which are interleaved as in Meta's code, are put in transformers' order. The rotary
  /// tables of version 0 are left out: they follow from the configuration.
  public func huggingFaceWeights() -> any TensorSource { Llama2CWeights(file: self, header: header) }
}

/// The tensors of a llama2.c file as transformers has them.
private struct Llama2CWeights: TensorSource {
  private let file: Llama2CFile
  private let items: [String: Llama2CHeader.Tensor]
  let tensorNames: [String]

  init(file: Llama2CFile, header: Llama2CHeader) {
    self.file = file
    let tensors = header.tensors
    tensorNames = tensors.map(\.name)
    items = Dictionary(tensors.map { ($0.name, $0) }) { first, _ in first }
  }

  var name: String { file.name }

  func shape(of tensor: String) -> [Int]? { items[tensor]?.shape }

  func copyFloats(of tensor: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
    guard let item = items[tensor] else { throw CheckpointError.missingTensor(name: tensor, file: name) }
    guard destination.count == item.count else {
      throw CheckpointError.shapeMismatch(
        tensor: tensor, expected: [destination.count], found: item.shape, file: name)
    }
    guard let target = destination.baseAddress else { return }
    let range = item.offset..<item.offset + item.count * 4
    file.bytes.withUnsafeBytes { all in
      guard let source = all.baseAddress?.advanced(by: range.lowerBound) else { return }
      if let headSize = item.interleavedHeadSize, let rowLength = item.shape.last {
        for row in 0..<item.count / rowLength {
          let place = target + rowBelonging(toInterleaved: row, headSize: headSize) * rowLength
          convert(.float32, from: source + row * rowLength * 4, to: place, count: rowLength)
        }
      } else {
        convert(.float32, from: source, to: target, count: item.count)
      }
    }
    file.bytes.release(range)
    if let index = firstNonFiniteIndex(in: UnsafeBufferPointer(destination)) {
      throw CheckpointError.notFinite(tensor: tensor, index: index, file: name)
    }
  }
}
