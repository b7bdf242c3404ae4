import Checkpoints
import Kernels

/// The name of the head's weight in transformers.
let headName = "lm_head.weight"

/// Finds a decoder's tensors in a checkpoint, which may name them in other ways.
struct CheckpointNames {
  private let decoder: DecoderDescription
  private let tensors: any TensorSource
  private let prefix: String
  private let buffer: (String) -> CheckpointBuffer?

  init<Configuration: DecoderConfiguration>(
    _ decoder: DecoderDescription, _: Configuration.Type, _ tensors: any TensorSource
  ) {
    self.decoder = decoder
    self.tensors = tensors
    prefix = Configuration.basePrefix
    buffer = Configuration.buffer
  }

  /// The name of a parameter in the file, whether it is there or not.
  func stored(_ parameter: Parameter) -> String {
    let name = parameter.name
    if tensors.shape(of: name) != nil { return name }
    // transformers' base models save the same tensors without the prefix.
    let bare = String(name.dropFirst(prefix.count))
    if name.hasPrefix(prefix), tensors.shape(of: bare) != nil { return bare }
    // Of two tensors in the same memory, safetensors' save_model keeps one, which may be the head.
    let isEmbedding = parameter.range.lowerBound == decoder.places.tokenEmbedding
    if isEmbedding, decoder.places.head == decoder.places.tokenEmbedding, tensors.shape(of: headName) != nil {
      return headName
    }
    return name
  }

  /// Whether the file holds a head that differs from the token embedding; the configuration must say that it has none.
  ///
  /// transformers decides in the same way.
  /// - Throws: ``CheckpointError`` where the two have other shapes than the model needs, or cannot be read.
  var hasOwnHead: Bool {
    get throws {
      let parameters = decoder.layout.parameters
      guard let embedding = parameters.first(where: { $0.range.lowerBound == decoder.places.tokenEmbedding }),
        let headShape = tensors.shape(of: headName), case let name = stored(embedding), name != headName,
        let shape = tensors.shape(of: name)
      else { return false }
      for (name, found) in [(name, shape), (headName, headShape)] where found != embedding.shape {
        throw CheckpointError.shapeMismatch(
          tensor: name, expected: embedding.shape, found: found, file: tensors.name)
      }
      func buffer() -> FloatBuffer { FloatBuffer(count: embedding.range.count, isZeroed: false) }
      let (first, second) = (buffer(), buffer())
      try tensors.copyFloats(of: name, into: first.elements)
      try tensors.copyFloats(of: headName, into: second.elements)
      return !first.elements.elementsEqual(second.elements)
    }
  }

  /// The constants among the tensors that have the shape of such, and a sentence on each that the configuration contradicts.
  func buffers() throws -> (names: Set<String>, notes: [String]) {
    var names: Set<String> = []
    var notes: [String] = []
    for tensor in tensors.tensorNames {
      guard let buffer = buffer(tensor), let agrees = try decoder.agrees(buffer, tensor, of: tensors) else { continue }
      names.insert(tensor)
      if !agrees {
        notes.append("\(tensors.name): the constant \(tensor) is not what config.json says, which is followed")
      }
    }
    return (names, notes)
  }
}
