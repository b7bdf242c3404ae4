import Kernels

// Buffers of one layer in `Activations.layers`, in order.
enum GPTNeoBuffer {
  static let queryKeyValue = 0
  static let input = 1
  static let context = 2
  static let middle = 3
  static let inner = 4
  static let norm1Mean = 5
  static let norm1Deviation = 6
  static let norm2Mean = 7
  static let norm2Deviation = 8
  // In `Activations.shared`.
  static let output = 0
  static let finalMean = 1
  static let finalDeviation = 2
}

extension GPTNeo {
  /// Rows computed together outside of attention, which bounds the scratch memory.
  static let chunkSize = 1_024

  /// Memory for the nodes of a tree.
  public func makeActivations(capacity: Int, keepsForBackward: Bool) -> Activations {
    let hidden = configuration.hiddenSize
    return Activations(
      capacity: capacity, layerCount: places.layers.count, hiddenSize: hidden, persistentSizes: [3 * hidden],
      backwardSizes: [hidden, hidden, hidden, configuration.intermediateSize, 1, 1, 1, 1], sharedSizes: [hidden, 1, 1],
      keepsForBackward: keepsForBackward)
  }

  func attention(layer: Int) -> TreeAttention {
    TreeAttention(
      headCount: configuration.headCount, headDimension: configuration.headDimension,
      window: configuration.attentionLayers[layer] == .local ? configuration.windowSize : .max, scale: 1)
  }

  func weights(_ offset: Int) -> Floats { Floats(parameters.pointer + offset) }

  /// Computes `nodes`; all nodes before them must have been computed with the same activations.
  ///
  /// - Precondition: tokens lie in the vocabulary and positions below ``contextLength``.
  public func forward(_ tree: TokenTree, nodes: Range<Int>, activations: Activations) {
    guard !nodes.isEmpty else { return }
    precondition(nodes.upperBound <= activations.capacity, "node \(nodes.upperBound) of \(activations.capacity)")
    // A stray index would read, and in the backward pass write, outside of its table.
    precondition(
      nodes.allSatisfy { 0..<vocabularySize ~= Int(tree.tokens[$0]) && Int(tree.positions[$0]) < contextLength },
      "a token outside of the vocabulary of \(vocabularySize), or beyond \(contextLength) tokens")
    let hidden = configuration.hiddenSize
    let start = nodes.lowerBound
    let firstInput = activations.layers[0][GPTNeoBuffer.input].pointer + start * hidden
    tree.tokens.withUnsafeBufferPointer { tokens in
      guard let tokens = tokens.baseAddress else { return }
      embedding(weights(places.tokenEmbedding), ids: tokens + start, into: firstInput, rows: nodes.count, size: hidden)
    }
    tree.positions.withUnsafeBufferPointer { positions in
      guard let positions = positions.baseAddress else { return }
      embedding(
        weights(places.positionEmbedding), ids: positions + start, into: firstInput, rows: nodes.count, size: hidden,
        accumulates: true)
    }
    for layer in places.layers.indices {
      let output =
        layer + 1 < places.layers.count
        ? activations.layers[layer + 1][GPTNeoBuffer.input] : activations.shared[GPTNeoBuffer.output]
      forwardLayer(layer, tree, nodes, activations.layers[layer], output: output)
    }
    layerNorm(
      activations.shared[GPTNeoBuffer.output].pointer + start * hidden,
      weight: weights(places.finalNormWeight), bias: weights(places.finalNormBias),
      epsilon: configuration.layerNormEpsilon, into: activations.hidden.pointer + start * hidden,
      means: activations.shared[GPTNeoBuffer.finalMean].pointer + start,
      inverseDeviations: activations.shared[GPTNeoBuffer.finalDeviation].pointer + start,
      rows: nodes.count, size: hidden)
  }

  private func forwardLayer(
    _ layer: Int, _ tree: TokenTree, _ nodes: Range<Int>, _ buffers: [FloatBuffer], output: FloatBuffer
  ) {
    let hidden = configuration.hiddenSize
    let innerSize = configuration.intermediateSize
    let place = places.layers[layer]
    let input = buffers[GPTNeoBuffer.input].pointer
    let queryKeyValue = buffers[GPTNeoBuffer.queryKeyValue].pointer
    let context = buffers[GPTNeoBuffer.context].pointer
    let middle = buffers[GPTNeoBuffer.middle].pointer
    let inner = buffers[GPTNeoBuffer.inner].pointer
    let chunk = min(nodes.count, Self.chunkSize)
    withScratch(chunk * (hidden + innerSize)) { normalized in
      let activated = normalized + chunk * hidden
      forEachChunk(of: nodes) { start, rows in
        layerNorm(
          input + start * hidden, weight: weights(place.norm1Weight), bias: weights(place.norm1Bias),
          epsilon: configuration.layerNormEpsilon, into: normalized,
          means: buffers[GPTNeoBuffer.norm1Mean].pointer + start,
          inverseDeviations: buffers[GPTNeoBuffer.norm1Deviation].pointer + start, rows: rows, size: hidden)
        linear(
          normalized, weight: weights(place.queryKeyValue), into: queryKeyValue + start * 3 * hidden,
          rows: rows, inputSize: hidden, outputSize: 3 * hidden)
      }
      tree.parents.withUnsafeBufferPointer { parents in
        guard let parents = parents.baseAddress else { return }
        attention(layer: layer).forward(queryKeyValue, parents: parents, nodes: nodes, into: context)
      }
      forEachChunk(of: nodes) { start, rows in
        let chunkMiddle = middle + start * hidden
        linear(
          context + start * hidden, weight: weights(place.outputWeight), bias: weights(place.outputBias),
          into: chunkMiddle, rows: rows, inputSize: hidden, outputSize: hidden)
        add(input + start * hidden, to: chunkMiddle, count: rows * hidden)
        layerNorm(
          chunkMiddle, weight: weights(place.norm2Weight), bias: weights(place.norm2Bias),
          epsilon: configuration.layerNormEpsilon, into: normalized,
          means: buffers[GPTNeoBuffer.norm2Mean].pointer + start,
          inverseDeviations: buffers[GPTNeoBuffer.norm2Deviation].pointer + start, rows: rows, size: hidden)
        let chunkInner = inner + start * innerSize
        linear(
          normalized, weight: weights(place.innerWeight), bias: weights(place.innerBias), into: chunkInner,
          rows: rows, inputSize: hidden, outputSize: innerSize)
        geluTanh(chunkInner, into: activated, count: rows * innerSize)
        let chunkOutput = output.pointer + start * hidden
        linear(
          activated, weight: weights(place.projectionWeight), bias: weights(place.projectionBias), into: chunkOutput,
          rows: rows, inputSize: innerSize, outputSize: hidden)
        add(chunkMiddle, to: chunkOutput, count: rows * hidden)
      }
    }
  }

  /// Calls `body` with the first row and the number of rows of each chunk.
  func forEachChunk(of nodes: Range<Int>, _ body: (Int, Int) -> Void) {
    var start = nodes.lowerBound
    while start < nodes.upperBound {
      let rows = min(Self.chunkSize, nodes.upperBound - start)
      body(start, rows)
      start += rows
    }
  }
}
