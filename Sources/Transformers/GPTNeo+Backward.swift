public import Kernels

extension GPTNeo {
  /// Adds the gradients of all parameters below the head.
  ///
  /// - Parameters:
  ///   - hiddenGradient: [tree.count, hiddenSize]: the loss's gradient with respect to `activations.hidden`.
  ///   - gradients: as long as ``parameters``.
  public func backward(
    _ tree: TokenTree, activations: Activations, hiddenGradient: FloatBuffer, gradients: FloatBuffer
  ) {
    precondition(activations.keepsForBackward, "these activations were not kept for a backward pass")
    precondition(gradients.count == parameters.count, "\(gradients.count) gradients of \(parameters.count) parameters")
    precondition(hiddenGradient.count >= tree.count * hiddenSize, "hidden gradients of \(tree.count) nodes")
    let hidden = configuration.hiddenSize
    let rows = tree.count
    let gradient = gradients.pointer
    // The gradient of the residual stream, layer by layer downward.
    withScratch(rows * hidden * 5) { stream in
      stream.update(repeating: 0, count: rows * hidden)
      layerNormBackward(
        activations.shared[GPTNeoBuffer.output].pointer, weight: weights(places.finalNormWeight),
        means: activations.shared[GPTNeoBuffer.finalMean].pointer,
        inverseDeviations: activations.shared[GPTNeoBuffer.finalDeviation].pointer,
        outputGradient: hiddenGradient.pointer, inputGradient: stream,
        weightGradient: gradient + places.finalNormWeight, biasGradient: gradient + places.finalNormBias,
        rows: rows, size: hidden)
      for layer in places.layers.indices.reversed() {
        backwardFeedForward(layer, rows, activations.layers[layer], stream, gradient)
        backwardAttention(layer, tree, activations.layers[layer], stream, scratch: stream + rows * hidden, gradient)
      }
      tree.tokens.withUnsafeBufferPointer { tokens in
        guard let tokens = tokens.baseAddress else { return }
        embeddingBackward(
          stream, ids: tokens, tableGradient: gradient + places.tokenEmbedding, rows: rows, size: hidden)
      }
      tree.positions.withUnsafeBufferPointer { positions in
        guard let positions = positions.baseAddress else { return }
        embeddingBackward(
          stream, ids: positions, tableGradient: gradient + places.positionEmbedding, rows: rows, size: hidden)
      }
    }
  }

  private func backwardFeedForward(
    _ layer: Int, _ rows: Int, _ buffers: [FloatBuffer], _ stream: MutableFloats, _ gradient: MutableFloats
  ) {
    let hidden = configuration.hiddenSize
    let innerSize = configuration.intermediateSize
    let place = places.layers[layer]
    let chunk = min(rows, Self.chunkSize)
    withScratch(chunk * (2 * innerSize + 2 * hidden)) { activated in
      let innerGradient = activated + chunk * innerSize
      let normalized = innerGradient + chunk * innerSize
      let normalizedGradient = normalized + chunk * hidden
      forEachChunk(of: 0..<rows) { start, rows in
        let inner = buffers[GPTNeoBuffer.inner].pointer + start * innerSize
        let middle = buffers[GPTNeoBuffer.middle].pointer + start * hidden
        let means = buffers[GPTNeoBuffer.norm2Mean].pointer + start
        let deviations = buffers[GPTNeoBuffer.norm2Deviation].pointer + start
        let streamChunk = stream + start * hidden
        geluTanh(inner, into: activated, count: rows * innerSize)
        accumulateLinearWeightGradient(
          activated, outputGradient: streamChunk, weightGradient: gradient + place.projectionWeight,
          biasGradient: gradient + place.projectionBias, rows: rows, inputSize: innerSize, outputSize: hidden)
        linearInputGradient(
          streamChunk, weight: weights(place.projectionWeight), into: innerGradient,
          rows: rows, inputSize: innerSize, outputSize: hidden)
        geluTanhBackward(inner, gradient: innerGradient, count: rows * innerSize)
        layerNormAgain(
          middle, weight: weights(place.norm2Weight), bias: weights(place.norm2Bias), means: means,
          inverseDeviations: deviations, into: normalized, rows: rows, size: hidden)
        accumulateLinearWeightGradient(
          normalized, outputGradient: innerGradient, weightGradient: gradient + place.innerWeight,
          biasGradient: gradient + place.innerBias, rows: rows, inputSize: hidden, outputSize: innerSize)
        linearInputGradient(
          innerGradient, weight: weights(place.innerWeight), into: normalizedGradient,
          rows: rows, inputSize: hidden, outputSize: innerSize)
        layerNormBackward(
          middle, weight: weights(place.norm2Weight), means: means, inverseDeviations: deviations,
          outputGradient: normalizedGradient, inputGradient: streamChunk,
          weightGradient: gradient + place.norm2Weight, biasGradient: gradient + place.norm2Bias,
          rows: rows, size: hidden)
      }
    }
  }

  private func backwardAttention(
    _ layer: Int, _ tree: TokenTree, _ buffers: [FloatBuffer], _ stream: MutableFloats, scratch: MutableFloats,
    _ gradient: MutableFloats
  ) {
    let hidden = configuration.hiddenSize
    let place = places.layers[layer]
    let rows = tree.count
    let contextGradient = scratch
    let queryKeyValueGradient = scratch + rows * hidden
    let context = buffers[GPTNeoBuffer.context].pointer
    accumulateLinearWeightGradient(
      context, outputGradient: stream, weightGradient: gradient + place.outputWeight,
      biasGradient: gradient + place.outputBias, rows: rows, inputSize: hidden, outputSize: hidden)
    linearInputGradient(
      stream, weight: weights(place.outputWeight), into: contextGradient,
      rows: rows, inputSize: hidden, outputSize: hidden)
    queryKeyValueGradient.update(repeating: 0, count: rows * 3 * hidden)
    tree.parents.withUnsafeBufferPointer { parents in
      guard let parents = parents.baseAddress else { return }
      attention(layer: layer).backward(
        buffers[GPTNeoBuffer.queryKeyValue].pointer, parents: parents, nodes: 0..<rows,
        outputGradient: contextGradient, queryKeyValueGradient: queryKeyValueGradient)
    }
    // The context's gradient has been used: its memory takes the normalised input, then that input's gradient.
    let input = buffers[GPTNeoBuffer.input].pointer
    let means = buffers[GPTNeoBuffer.norm1Mean].pointer
    let deviations = buffers[GPTNeoBuffer.norm1Deviation].pointer
    layerNormAgain(
      input, weight: weights(place.norm1Weight), bias: weights(place.norm1Bias), means: means,
      inverseDeviations: deviations, into: contextGradient, rows: rows, size: hidden)
    accumulateLinearWeightGradient(
      contextGradient, outputGradient: queryKeyValueGradient, weightGradient: gradient + place.queryKeyValue,
      rows: rows, inputSize: hidden, outputSize: 3 * hidden)
    linearInputGradient(
      queryKeyValueGradient, weight: weights(place.queryKeyValue), into: contextGradient,
      rows: rows, inputSize: hidden, outputSize: 3 * hidden)
    layerNormBackward(
      input, weight: weights(place.norm1Weight), means: means, inverseDeviations: deviations,
      outputGradient: contextGradient, inputGradient: stream,
      weightGradient: gradient + place.norm1Weight, biasGradient: gradient + place.norm1Bias, rows: rows, size: hidden)
  }
}
