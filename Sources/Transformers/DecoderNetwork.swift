public import Kernels

/// A decoder's parameters and what is computed with them; the architectures differ in its shape and in their tensors' names.
public final class DecoderNetwork: Sendable {
  /// Names, shapes and places of all tensors, named as transformers names them.
  public let layout: ParameterLayout
  /// The parameters, in the order of ``layout``.
  public let parameters: FloatBuffer
  /// What is trained instead of the parameters, if anything.
  public let adapter: LowRankAdapter?
  let shape: DecoderShape
  let places: DecoderPlaces

  /// A network without values: the parameters are not set.
  init(shape: DecoderShape, layout: ParameterLayout, places: DecoderPlaces) {
    self.shape = shape
    self.layout = layout
    self.places = places
    adapter = nil
    parameters = FloatBuffer(count: layout.count, isZeroed: false)
  }

  /// A network with the parameters of another, and possibly an adapter.
  init(sharing other: DecoderNetwork, adapter: LowRankAdapter?) {
    shape = other.shape
    layout = other.layout
    parameters = other.parameters
    self.adapter = adapter
    places = other.places.adding(adapter)
  }

  /// An independent copy, an adapter included.
  func copy() -> DecoderNetwork {
    let copy = DecoderNetwork(shape: shape, layout: layout, places: places.adding(nil))
    copy.parameters.copy(from: parameters)
    return adapter.map { DecoderNetwork(sharing: copy, adapter: $0.copy()) } ?? copy
  }

  /// What is trained: the adapter where there is one, else all parameters.
  var trained: FloatBuffer { adapter?.parameters ?? parameters }

  /// The matrices below the head that each token is multiplied with, from first to last.
  var linearShapes: [LinearShape] {
    places.layers.flatMap { layer in
      [layer.queryKeyValue, layer.output, layer.inner, layer.projection].map {
        LinearShape(outputSize: $0.outputSize, inputSize: $0.inputSize)
      }
    }
  }

  /// FLOPs of attention in one forward pass.
  func attentionFlops(_ tree: TokenTree) -> Int {
    shape.attention.reduce(0) { sum, attention in
      sum + tree.positions.reduce(0) { $0 + 4 * attention.querySize * min(Int($1) + 1, attention.window) }
    }
  }

  /// Memory for the nodes of a tree.
  func makeActivations(capacity: Int, keepsForBackward: Bool) -> Activations {
    let hidden = shape.hiddenSize
    let mean = shape.savesMeans ? 1 : 0
    return Activations(
      capacity: capacity, layerCount: places.layers.count, hiddenSize: hidden,
      persistentSizes: [shape.attention[0].stride],
      backwardSizes: [hidden, shape.attention[0].querySize, hidden, shape.innerSize, mean, 1, mean, 1],
      sharedSizes: [hidden, mean, 1], keepsForBackward: keepsForBackward)
  }

  /// Rows computed together outside of attention, which bounds the scratch memory.
  static let chunkSize = 1_024

  /// Calls `body` with the first row and the number of rows of each chunk.
  func forEachChunk(of nodes: Range<Int>, _ body: (Int, Int) -> Void) {
    var start = nodes.lowerBound
    while start < nodes.upperBound {
      let rows = min(Self.chunkSize, nodes.upperBound - start)
      body(start, rows)
      start += rows
    }
  }

  func weights(_ offset: Int) -> Floats { Floats(parameters.pointer + offset) }
}

/// The buffers of one layer, as ``DecoderNetwork/makeActivations(capacity:keepsForBackward:)`` orders them.
struct DecoderLayerBuffers {
  let queryKeyValue, input, context, middle, inner: MutableFloats
  let norm1, norm2: SavedMoments

  init(_ buffers: [FloatBuffer]) {
    queryKeyValue = buffers[0].pointer
    input = buffers[1].pointer
    context = buffers[2].pointer
    middle = buffers[3].pointer
    inner = buffers[4].pointer
    norm1 = SavedMoments(means: buffers[5].pointer, inverseDeviations: buffers[6].pointer)
    norm2 = SavedMoments(means: buffers[7].pointer, inverseDeviations: buffers[8].pointer)
  }
}

/// What a normalisation saves for its backward pass, one number a row; means are not set where none is subtracted.
struct SavedMoments {
  var means: MutableFloats
  var inverseDeviations: MutableFloats

  init(means: MutableFloats, inverseDeviations: MutableFloats) {
    self.means = means
    self.inverseDeviations = inverseDeviations
  }

  /// Those of the last normalisation, before the head.
  init(final activations: Activations) {
    self.init(means: activations.shared[1].pointer, inverseDeviations: activations.shared[2].pointer)
  }

  func from(_ row: Int) -> SavedMoments {
    SavedMoments(means: means + row, inverseDeviations: inverseDeviations + row)
  }
}
