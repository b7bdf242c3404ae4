import Kernels

extension DecoderNetwork {
  /// Computes `nodes`; all nodes before them must have been computed with the same activations.
  ///
  /// - Precondition: tokens lie in the vocabulary and positions below the context's length.
  func forward(_ tree: TokenTree, nodes: Range<Int>, activations: Activations) {
    guard !nodes.isEmpty else { return }
    precondition(nodes.upperBound <= activations.capacity, "node \(nodes.upperBound) of \(activations.capacity)")
    // A stray index would read, and in the backward pass write, outside of its table.
    precondition(
      nodes.allSatisfy {
        0..<shape.vocabularySize ~= Int(tree.tokens[$0]) && Int(tree.positions[$0]) < shape.contextLength
      },
      "a token outside of the vocabulary of \(shape.vocabularySize), or beyond \(shape.contextLength) tokens")
    embed(tree, nodes, into: DecoderLayerBuffers(activations.layers[0]).input)
    let lastOutput = activations.shared[0].pointer
    withRotations(tree, nodes) { rotations in
      for layer in places.layers.indices {
        let isLast = layer + 1 == places.layers.count
        forwardLayer(
          layer, tree, nodes, DecoderLayerBuffers(activations.layers[layer]), rotations: rotations,
          output: isLast ? lastOutput : DecoderLayerBuffers(activations.layers[layer + 1]).input)
      }
    }
    let start = nodes.lowerBound
    let hidden = shape.hiddenSize
    normalize(
      places.finalNorm, lastOutput + start * hidden, into: activations.hidden.pointer + start * hidden,
      saving: SavedMoments(final: activations).from(start), rows: nodes.count)
  }

  private func embed(_ tree: TokenTree, _ nodes: Range<Int>, into output: MutableFloats) {
    let hidden = shape.hiddenSize
    let start = nodes.lowerBound
    tree.tokens.withUnsafeBufferPointer { tokens in
      guard let tokens = tokens.baseAddress else { return }
      embedding(
        weights(places.tokenEmbedding), ids: tokens + start, into: output + start * hidden, rows: nodes.count,
        size: hidden)
    }
    guard let positionEmbedding = places.positionEmbedding else { return }
    tree.positions.withUnsafeBufferPointer { positions in
      guard let positions = positions.baseAddress else { return }
      embedding(
        weights(positionEmbedding), ids: positions + start, into: output + start * hidden, rows: nodes.count,
        size: hidden, accumulates: true)
    }
  }

  /// Calls `body` with the cosines and sines of `nodes`, nil where positions are learned.
  func withRotations(_ tree: TokenTree, _ nodes: Range<Int>, _ body: (Floats?) -> Void) {
    guard let rotary = shape.rotary else { return body(nil) }
    withScratch(nodes.count * rotary.headDimension) { table in
      tree.positions.withUnsafeBufferPointer { positions in
        guard let positions = positions.baseAddress else { return }
        rotary.fill(table, positions: positions + nodes.lowerBound, rows: nodes.count)
      }
      body(Floats(table))
    }
  }

  /// Turns queries and keys of `rows` nodes, which lie side by side, in place.
  func rotate(_ queryKeyValue: MutableFloats, rotations: Floats?, rows: Int, isInverse: Bool = false) {
    guard let rotary = shape.rotary, let rotations else { return }
    let attention = shape.attention[0]
    rotary.rotate(
      queryKeyValue, stride: attention.stride, headCount: attention.headCount + attention.keyValueHeadCount,
      table: rotations, rowCount: rows, isInverse: isInverse)
  }

  private func forwardLayer(
    _ layer: Int, _ tree: TokenTree, _ nodes: Range<Int>, _ buffers: DecoderLayerBuffers, rotations: Floats?,
    output: MutableFloats
  ) {
    let hidden = shape.hiddenSize
    let place = places.layers[layer]
    let attention = shape.attention[layer]
    let chunk = min(nodes.count, Self.chunkSize)
    withScratch(chunk * (hidden + shape.intermediateSize)) { normalized in
      let activated = normalized + chunk * hidden
      forEachChunk(of: nodes) { start, rows in
        normalize(
          place.norm1, buffers.input + start * hidden, into: normalized, saving: buffers.norm1.from(start), rows: rows)
        let queryKeyValue = buffers.queryKeyValue + start * attention.stride
        multiply(place.queryKeyValue, normalized, into: queryKeyValue, rows: rows)
        rotate(
          queryKeyValue,
          rotations: rotations.map { $0 + (start - nodes.lowerBound) * attention.headDimension }, rows: rows)
      }
      tree.parents.withUnsafeBufferPointer { parents in
        guard let parents = parents.baseAddress else { return }
        attention.forward(buffers.queryKeyValue, parents: parents, nodes: nodes, into: buffers.context)
      }
      forEachChunk(of: nodes) { start, rows in
        let middle = buffers.middle + start * hidden
        multiply(place.output, buffers.context + start * attention.querySize, into: middle, rows: rows)
        add(buffers.input + start * hidden, to: middle, count: rows * hidden)
        normalize(place.norm2, middle, into: normalized, saving: buffers.norm2.from(start), rows: rows)
        let inner = buffers.inner + start * shape.innerSize
        multiply(place.inner, normalized, into: inner, rows: rows)
        activate(inner, into: activated, rows: rows)
        multiply(place.projection, activated, into: output + start * hidden, rows: rows)
        add(middle, to: output + start * hidden, count: rows * hidden)
      }
    }
  }

  // MARK: - Parts of a layer

  private func normalize(
    _ place: DecoderPlaces.Norm, _ input: Floats, into output: MutableFloats, saving moments: SavedMoments, rows: Int
  ) {
    switch shape.norm {
    case .layer(let epsilon):
      layerNorm(
        input, weight: weights(place.weight), bias: weights(place.bias ?? place.weight), epsilon: epsilon, into: output,
        means: moments.means, inverseDeviations: moments.inverseDeviations, rows: rows, size: shape.hiddenSize)
    case .rootMeanSquare(let epsilon):
      rmsNorm(
        input, weight: weights(place.weight), epsilon: epsilon, into: output,
        inverseDeviations: moments.inverseDeviations, rows: rows, size: shape.hiddenSize)
    }
  }

  private func multiply(_ place: DecoderPlaces.Linear, _ input: Floats, into output: MutableFloats, rows: Int) {
    linear(
      input, weight: weights(place.weight), order: place.order, bias: place.bias.map(weights), into: output,
      rows: rows, inputSize: place.inputSize, outputSize: place.outputSize)
    for update in place.updates {
      adapter?.apply(update, to: place, input, into: output, rows: rows)
    }
  }

  func activate(_ inner: Floats, into output: MutableFloats, rows: Int) {
    switch shape.activation {
    case .gelu: geluTanh(inner, into: output, count: rows * shape.intermediateSize)
    case .swiGLU: swiGLU(inner, into: output, rows: rows, size: shape.intermediateSize)
    }
  }
}
