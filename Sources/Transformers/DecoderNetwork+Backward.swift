import Kernels

extension DecoderNetwork {
  /// Adds the gradients of all trained parameters below the head.
  ///
  /// - Parameters:
  ///   - hiddenGradient: [tree.count, hiddenSize]: the loss's gradient with respect to `activations.hidden`.
  ///   - gradients: as long as ``trained``.
  func backward(_ tree: TokenTree, activations: Activations, hiddenGradient: FloatBuffer, gradients: FloatBuffer) {
    precondition(activations.keepsForBackward, "these activations were not kept for a backward pass")
    precondition(gradients.count == trained.count, "\(gradients.count) gradients of \(trained.count) parameters")
    precondition(hiddenGradient.count >= tree.count * shape.hiddenSize, "hidden gradients of \(tree.count) nodes")
    let hidden = shape.hiddenSize
    let rows = tree.count
    let attention = shape.attention[0]
    let gradients = DecoderGradients(gradients, isAdapter: adapter != nil)
    // The gradient of the residual stream, layer by layer downward.
    withScratch(rows * (hidden + max(hidden, attention.querySize) + attention.stride)) { stream in
      stream.update(repeating: 0, count: rows * hidden)
      normalizeBackward(
        places.finalNorm, activations.shared[0].pointer, SavedMoments(final: activations),
        outputGradient: hiddenGradient.pointer, inputGradient: stream, gradients, rows: rows)
      withRotations(tree, 0..<rows) { rotations in
        for layer in places.layers.indices.reversed() {
          let buffers = DecoderLayerBuffers(activations.layers[layer])
          backwardFeedForward(layer, rows, buffers, stream, gradients)
          backwardAttention(
            layer, tree, buffers, stream, rotations: rotations, scratch: stream + rows * hidden, gradients)
        }
      }
      embedBackward(tree, stream, gradients)
    }
  }

  private func embedBackward(_ tree: TokenTree, _ stream: Floats, _ gradients: DecoderGradients) {
    if let table = gradients.of(places.tokenEmbedding) {
      tree.tokens.withUnsafeBufferPointer { tokens in
        guard let tokens = tokens.baseAddress else { return }
        embeddingBackward(stream, ids: tokens, tableGradient: table, rows: tree.count, size: shape.hiddenSize)
      }
    }
    if let table = gradients.of(places.positionEmbedding) {
      tree.positions.withUnsafeBufferPointer { positions in
        guard let positions = positions.baseAddress else { return }
        embeddingBackward(stream, ids: positions, tableGradient: table, rows: tree.count, size: shape.hiddenSize)
      }
    }
  }

  private func backwardFeedForward(
    _ layer: Int, _ rows: Int, _ buffers: DecoderLayerBuffers, _ stream: MutableFloats, _ gradients: DecoderGradients
  ) {
    let hidden = shape.hiddenSize
    let place = places.layers[layer]
    let chunk = min(rows, Self.chunkSize)
    let isGated = shape.activation == .swiGLU
    withScratch(chunk * (2 * shape.intermediateSize + (isGated ? shape.innerSize : 0) + 2 * hidden)) { activated in
      let activatedGradient = activated + chunk * shape.intermediateSize
      let normalized = activatedGradient + chunk * shape.intermediateSize
      let normalizedGradient = normalized + chunk * hidden
      forEachChunk(of: 0..<rows) { start, rows in
        let inner = buffers.inner + start * shape.innerSize
        let middle = buffers.middle + start * hidden
        let streamChunk = stream + start * hidden
        activate(inner, into: activated, rows: rows)
        multiplyBackward(
          place.projection, activated, outputGradient: streamChunk, inputGradient: activatedGradient, gradients,
          rows: rows)
        var innerGradient = activatedGradient
        switch shape.activation {
        case .gelu: geluTanhBackward(inner, gradient: activatedGradient, count: rows * shape.intermediateSize)
        case .swiGLU:
          innerGradient = normalizedGradient + chunk * hidden
          swiGLUBackward(
            inner, outputGradient: activatedGradient, gateUpGradient: innerGradient, rows: rows,
            size: shape.intermediateSize)
        }
        let moments = buffers.norm2.from(start)
        normalizeAgain(place.norm2, middle, moments, into: normalized, rows: rows)
        multiplyBackward(
          place.inner, normalized, outputGradient: innerGradient, inputGradient: normalizedGradient, gradients,
          rows: rows)
        normalizeBackward(
          place.norm2, middle, moments, outputGradient: normalizedGradient, inputGradient: streamChunk, gradients,
          rows: rows)
      }
    }
  }

  private func backwardAttention(
    _ layer: Int, _ tree: TokenTree, _ buffers: DecoderLayerBuffers, _ stream: MutableFloats, rotations: Floats?,
    scratch: MutableFloats, _ gradients: DecoderGradients
  ) {
    let place = places.layers[layer]
    let attention = shape.attention[layer]
    let rows = tree.count
    let contextGradient = scratch
    let queryKeyValueGradient = scratch + rows * max(shape.hiddenSize, attention.querySize)
    multiplyBackward(
      place.output, buffers.context, outputGradient: stream, inputGradient: contextGradient, gradients, rows: rows)
    queryKeyValueGradient.update(repeating: 0, count: rows * attention.stride)
    tree.parents.withUnsafeBufferPointer { parents in
      guard let parents = parents.baseAddress else { return }
      attention.backward(
        buffers.queryKeyValue, parents: parents, nodes: 0..<rows, outputGradient: contextGradient,
        queryKeyValueGradient: queryKeyValueGradient)
    }
    rotate(queryKeyValueGradient, rotations: rotations, rows: rows, isInverse: true)
    // The context's gradient has been used: its memory takes the normalised input, then that input's gradient.
    let normalized = contextGradient
    normalizeAgain(place.norm1, buffers.input, buffers.norm1, into: normalized, rows: rows)
    multiplyBackward(
      place.queryKeyValue, normalized, outputGradient: queryKeyValueGradient, inputGradient: normalized, gradients,
      rows: rows)
    normalizeBackward(
      place.norm1, buffers.input, buffers.norm1, outputGradient: normalized, inputGradient: stream, gradients,
      rows: rows)
  }

  // MARK: - Parts of a layer

  private func normalizeAgain(
    _ place: DecoderPlaces.Norm, _ input: Floats, _ moments: SavedMoments, into output: MutableFloats, rows: Int
  ) {
    switch shape.norm {
    case .layer:
      layerNormAgain(
        input, weight: weights(place.weight), bias: weights(place.bias ?? place.weight), means: moments.means,
        inverseDeviations: moments.inverseDeviations, into: output, rows: rows, size: shape.hiddenSize)
    case .rootMeanSquare:
      rmsNormAgain(
        input, weight: weights(place.weight), inverseDeviations: moments.inverseDeviations, into: output, rows: rows,
        size: shape.hiddenSize)
    }
  }

  private func normalizeBackward(
    _ place: DecoderPlaces.Norm, _ input: Floats, _ moments: SavedMoments, outputGradient: Floats,
    inputGradient: MutableFloats, _ gradients: DecoderGradients, rows: Int
  ) {
    switch shape.norm {
    case .layer:
      layerNormBackward(
        input, weight: weights(place.weight), means: moments.means, inverseDeviations: moments.inverseDeviations,
        outputGradient: outputGradient, inputGradient: inputGradient, weightGradient: gradients.of(place.weight),
        biasGradient: gradients.of(place.bias), rows: rows, size: shape.hiddenSize)
    case .rootMeanSquare:
      rmsNormBackward(
        input, weight: weights(place.weight), inverseDeviations: moments.inverseDeviations,
        outputGradient: outputGradient, inputGradient: inputGradient, weightGradient: gradients.of(place.weight),
        rows: rows, size: shape.hiddenSize)
    }
  }

  /// The gradients of a product; `inputGradient` is overwritten and may be the memory of `input`.
  private func multiplyBackward(
    _ place: DecoderPlaces.Linear, _ input: Floats, outputGradient: Floats, inputGradient: MutableFloats,
    _ gradients: DecoderGradients, rows: Int
  ) {
    if let weightGradient = gradients.of(place.weight) {
      accumulateLinearWeightGradient(
        input, outputGradient: outputGradient, weightGradient: weightGradient, order: place.order,
        biasGradient: gradients.of(place.bias), rows: rows, inputSize: place.inputSize, outputSize: place.outputSize)
    }
    if let adapter, let adapterGradient = gradients.adapter {
      for update in place.updates {
        adapter.accumulateGradient(
          update, of: place, input, outputGradient: outputGradient, into: adapterGradient, rows: rows)
      }
    }
    linearInputGradient(
      outputGradient, weight: weights(place.weight), order: place.order, into: inputGradient,
      rows: rows, inputSize: place.inputSize, outputSize: place.outputSize)
    for update in place.updates {
      adapter?.addInputGradient(update, of: place, outputGradient: outputGradient, to: inputGradient, rows: rows)
    }
  }
}

/// Where gradients go: to the parameters', or only to those of an adapter.
private struct DecoderGradients {
  let parameters: MutableFloats?
  let adapter: MutableFloats?

  init(_ buffer: FloatBuffer, isAdapter: Bool) {
    parameters = isAdapter ? nil : buffer.pointer
    adapter = isAdapter ? buffer.pointer : nil
  }

  /// The gradient of the tensor at `offset`; nil where there is none, or it is not trained.
  func of(_ offset: Int?) -> MutableFloats? {
    guard let offset, let parameters else { return nil }
    return parameters + offset
  }
}
