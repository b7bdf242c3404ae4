/// The header of a llama2.c file, and where its tensors lie.
struct Llama2CHeader {
  private(set) var hiddenSize = 0
  private(set) var intermediateSize = 0
  private(set) var layers = 0
  private(set) var heads = 0
  private(set) var keyValueHeads = 0
  private(set) var vocabularySize = 0
  private(set) var positions = 0
  /// Whether the embedding is the classifier too.
  private(set) var sharesClassifier = true
  /// 0 or 1.
  private(set) var version = 0

  /// A tensor under its name in transformers.
  struct Tensor {
    let name: String
    let shape: [Int]
    /// Where it begins in the file.
    let offset: Int
    let count: Int
    /// The rows of a head, where the rows of heads are interleaved.
    let interleavedHeadSize: Int?
  }

  private static let legacySize = 28
  private static let version1Size = 256
  /// "ak42", as a little-endian number.
  private static let magic: UInt32 = 0x616b_3432

  var headDimension: Int { hiddenSize / heads }

  init(_ bytes: UnsafeRawBufferPointer, file: String) throws {
    guard bytes.count >= Self.legacySize else {
      throw CheckpointError.truncated(file: file, offset: bytes.count, needed: Self.legacySize)
    }
    let isNumbered = UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)) == Self.magic
    if isNumbered { try readVersion(bytes, file: file) }
    let start = isNumbered ? 8 : 0
    var values: [Int] = []
    for (index, what) in Self.fields.enumerated() {
      let offset = start + 4 * index
      let value = Int(Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
      // The legacy header says by the sign that the classifier is a matrix of its own.
      let isNegativeAllowed = !isNumbered && index == 5
      guard value > 0 || isNegativeAllowed && value < 0 else {
        throw CheckpointError.malformed(
          file: file, offset: offset, reason: "\(what) is \(value); is it a llama2.c file?")
      }
      values.append(abs(value))
      if isNegativeAllowed { sharesClassifier = value > 0 }
    }
    (hiddenSize, intermediateSize, layers, heads) = (values[0], values[1], values[2], values[3])
    (keyValueHeads, vocabularySize, positions) = (values[4], values[5], values[6])
    if isNumbered { try readClassifier(bytes, file: file) }
    try check(bytes.count, firstField: start, file: file)
  }

  private static let fields = [
    "the width", "the hidden width", "the number of layers", "the number of heads",
    "the number of key and value heads", "the size of the vocabulary", "the number of positions",
  ]

  private mutating func readVersion(_ bytes: UnsafeRawBufferPointer, file: String) throws {
    guard bytes.count >= Self.version1Size else {
      throw CheckpointError.truncated(file: file, offset: bytes.count, needed: Self.version1Size)
    }
    let number = Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4, as: Int32.self))
    guard number == 1 else {
      throw CheckpointError.unsupported(
        file: file, reason: "this is version \(number) of llama2.c's format",
        hint: "export the model with --version 0 or --version 1 (32-bit floats)")
    }
    version = 1
  }

  private mutating func readClassifier(_ bytes: UnsafeRawBufferPointer, file: String) throws {
    let flag = bytes[36]
    guard flag <= 1 else {
      throw CheckpointError.malformed(
        file: file, offset: 36, reason: "whether the classifier is shared is \(flag), and must be 0 or 1")
    }
    sharesClassifier = flag == 1
    if let place = bytes[37..<Self.version1Size].firstIndex(where: { $0 != 0 }) {
      throw CheckpointError.malformed(
        file: file, offset: place, reason: "the header is filled up with other than zeros")
    }
  }

  private func check(_ fileSize: Int, firstField: Int, file: String) throws {
    guard hiddenSize % heads == 0, headDimension % 2 == 0 else {
      throw CheckpointError.malformed(
        file: file, offset: firstField + 12,
        reason: "\(heads) heads cannot share a width of \(hiddenSize) evenly, in pairs; is it a llama2.c file?")
    }
    guard keyValueHeads <= heads, heads % keyValueHeads == 0 else {
      throw CheckpointError.malformed(
        file: file, offset: firstField + 16,
        reason: "\(heads) heads cannot share \(keyValueHeads) key and value heads; is it a llama2.c file?")
    }
    guard let size = announcedSize else {
      throw CheckpointError.malformed(
        file: file, offset: firstField, reason: "the sizes are too large; is it a llama2.c file?")
    }
    guard size <= fileSize else { throw CheckpointError.truncated(file: file, offset: fileSize, needed: size) }
    guard size == fileSize else {
      throw CheckpointError.malformed(
        file: file, offset: size,
        reason: "the header announces \(size) bytes and the file has \(fileSize); is it a llama2.c file?")
    }
  }

  /// The groups of tensors in the order of the file: of each layer in turn, or one alone.
  private var groups: [(name: String, shape: [Int], perLayer: Bool, isInterleaved: Bool)] {
    let (width, inner) = (hiddenSize, intermediateSize)
    let keyWidth = headDimension * keyValueHeads
    func layer(_ name: String, _ shape: [Int], isInterleaved: Bool = false) -> (String, [Int], Bool, Bool) {
      (name, shape, true, isInterleaved)
    }
    let embedding = ("model.embed_tokens", [vocabularySize, width], false, false)
    let attentionNorm = layer("input_layernorm", [width])
    let feedForwardNorm = layer("post_attention_layernorm", [width])
    let attention = [
      layer("self_attn.q_proj", [width, width], isInterleaved: true),
      layer("self_attn.k_proj", [keyWidth, width], isInterleaved: true),
      layer("self_attn.v_proj", [keyWidth, width]),
      layer("self_attn.o_proj", [width, width]),
    ]
    let feedForward = [
      layer("mlp.gate_proj", [inner, width]), layer("mlp.down_proj", [width, inner]),
      layer("mlp.up_proj", [inner, width]),
    ]
    let norm = ("model.norm", [width], false, false)
    var groups: [(String, [Int], Bool, Bool)]
    if version == 0 {
      // The rotary tables have no name in transformers.
      let table = ("", [positions, headDimension / 2], false, false)
      groups = [embedding, attentionNorm] + attention + [feedForwardNorm] + feedForward + [norm, table, table]
    } else {
      groups = [attentionNorm, feedForwardNorm, norm, embedding] + attention + feedForward
    }
    if !sharesClassifier { groups.append(("lm_head", [vocabularySize, width], false, false)) }
    return groups
  }

  /// The size of a file with this header, or nil where it does not fit 62 bits.
  private var announcedSize: Int? {
    var floats = 0
    for group in groups {
      guard let count = elementCount(group.shape + (group.perLayer ? [layers] : [])) else { return nil }
      let (sum, overflow) = floats.addingReportingOverflow(count)
      guard !overflow, sum < 1 << 60 else { return nil }
      floats = sum
    }
    return floats * 4 + (version == 0 ? Self.legacySize : Self.version1Size)
  }

  /// All tensors that transformers has a name for; the size of the file was checked before.
  var tensors: [Tensor] {
    var tensors: [Tensor] = []
    var offset = version == 0 ? Self.legacySize : Self.version1Size
    for group in groups {
      let count = group.shape.reduce(1, *)
      for layer in 0..<(group.perLayer ? layers : 1) {
        if !group.name.isEmpty {
          let name = (group.perLayer ? "model.layers.\(layer)." : "") + group.name + ".weight"
          tensors.append(
            Tensor(
              name: name, shape: group.shape, offset: offset, count: count,
              interleavedHeadSize: group.isInterleaved ? headDimension : nil))
        }
        offset += 4 * count
      }
    }
    return tensors
  }
}
