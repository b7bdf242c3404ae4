import Checkpoints
import Foundation
import Kernels
import Transformers

/// Writes a random sentence-embedding model of a few thousand weights: letters in, vectors out.
func saveRewardModel(to folder: URL) throws {
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  let letters = "abcdefghijklmnopqrstuvwxyz".map(String.init)
  let vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters + letters.map { "##\($0)" }
  try Data(vocabulary.map { "\($0)\n" }.joined().utf8).write(to: folder.appending(path: "vocab.txt"))
  let hidden = 8
  let inner = 16
  let configuration = BERTConfiguration(
    vocabularySize: vocabulary.count, hiddenSize: hidden, layerCount: 1, headCount: 2, intermediateSize: inner,
    contextLength: 64)
  try JSONEncoder().encode(configuration).write(to: folder.appending(path: "config.json"))
  let layer = "encoder.layer.0."
  var shapes: [(name: String, shape: [Int])] = [
    ("embeddings.word_embeddings.weight", [vocabulary.count, hidden]),
    ("embeddings.position_embeddings.weight", [64, hidden]), ("embeddings.token_type_embeddings.weight", [2, hidden]),
    (layer + "intermediate.dense.weight", [inner, hidden]), (layer + "intermediate.dense.bias", [inner]),
    (layer + "output.dense.weight", [hidden, inner]), (layer + "output.dense.bias", [hidden]),
  ]
  for name in ["self.query", "self.key", "self.value", "output.dense"] {
    shapes.append((layer + "attention.\(name).weight", [hidden, hidden]))
    shapes.append((layer + "attention.\(name).bias", [hidden]))
  }
  for name in ["embeddings.", layer + "attention.output.", layer + "output."] {
    shapes.append((name + "LayerNorm.weight", [hidden]))
    shapes.append((name + "LayerNorm.bias", [hidden]))
  }
  let random = KeyedRandom(seed: 3)
  let buffers = shapes.enumerated().map { index, tensor in
    let numbers = random.keyed(index)
    let center: Float = tensor.name.hasSuffix("LayerNorm.weight") ? 1 : 0
    return FloatBuffer((0..<tensor.shape.reduce(1, *)).map { center + Float(numbers.keyed($0).normal) / 2 })
  }
  try withExtendedLifetime(buffers) {
    let tensors = zip(shapes, buffers).map { tensor, buffer in
      TensorToWrite(name: tensor.name, shape: tensor.shape, values: UnsafeBufferPointer(buffer.elements))
    }
    try writeSafetensors(tensors, elementType: .float32, to: folder.appending(path: "model.safetensors"))
  }
}
