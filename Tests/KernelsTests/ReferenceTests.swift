import ReferenceKernels
import TestSupport
import Testing

/// The plain loops that everything else is held to, themselves held to finite differences.
@Suite("Reference kernels") struct ReferenceTests {
  private func doubles(_ count: Int, seed: Int) -> [Double] {
    var random = TestRandom(seed)
    return (0..<count).map { _ in Double.random(in: -1...1, using: &random) }
  }

  private func expectGradient(
    _ gradient: [Double], of function: ([Double]) -> Double, at point: [Double],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    // Two step sizes: an error of the differences themselves would depend on the step.
    for step in [1e-3, 2e-3] {
      let comparison = Comparison(gradient, Reference.differences(of: function, at: point, step: step))
      #expect(comparison.matches(absolute: 1e-8), "\(comparison)", sourceLocation: sourceLocation)
    }
  }

  @Test func `differences of a cubic are exact`() {
    let gradient = Reference.differences(of: { $0[0] * $0[0] * $0[0] + 2 * $0[1] }, at: [1.5, -1])
    #expect(Comparison(gradient, [6.75, 2]).matches(absolute: 1e-10))
  }

  @Test func `a product, its transpose and a softmax have the values of pencil and paper`() {
    #expect(
      Reference.product([1, 2, 3, 4, 5, 6], [1, 0, 2, 1, 0, 3], rows: 2, depth: 3, columns: 2) == [5, 11, 14, 23])
    #expect(Reference.transposed([1, 2, 3, 4, 5, 6], rows: 2, columns: 3) == [1, 4, 2, 5, 3, 6])
    let third = 1.0 / 3
    #expect(Comparison(Reference.softmax([7, 7, 7]), [third, third, third]).matches(absolute: 1e-15))
    #expect(abs(Reference.logSumExp([1e4, 1e4]) - 10_000.693_147_180_56) < 1e-9)
  }

  @Test func `linear layers`() {
    let (rows, inputSize, outputSize) = (3, 4, 2)
    let input = doubles(12, seed: 1)
    let weight = doubles(8, seed: 2)
    let bias = doubles(2, seed: 3)
    let upstream = doubles(6, seed: 4)
    func loss(_ input: [Double], _ weight: [Double], _ bias: [Double]) -> Double {
      Reference.dot(
        upstream,
        Reference.linear(
          input, weight: weight, bias: bias, rows: rows, inputSize: inputSize, outputSize: outputSize))
    }
    let gradient = Reference.linearBackward(
      input, weight: weight, outputGradient: upstream, rows: rows, inputSize: inputSize, outputSize: outputSize)
    expectGradient(gradient.input, of: { loss($0, weight, bias) }, at: input)
    expectGradient(gradient.weight, of: { loss(input, $0, bias) }, at: weight)
    expectGradient(gradient.bias, of: { loss(input, weight, $0) }, at: bias)
  }

  @Test func `layer normalisation`() {
    let (rows, size) = (3, 5)
    let input = doubles(15, seed: 1)
    let weight = doubles(5, seed: 2)
    let bias = doubles(5, seed: 3)
    let upstream = doubles(15, seed: 4)
    func loss(_ input: [Double], _ weight: [Double], _ bias: [Double]) -> Double {
      Reference.dot(
        upstream,
        Reference.layerNorm(input, weight: weight, bias: bias, epsilon: 0.1, rows: rows, size: size).output)
    }
    let gradient = Reference.layerNormBackward(
      input, weight: weight, epsilon: 0.1, outputGradient: upstream, rows: rows, size: size)
    expectGradient(gradient.input, of: { loss($0, weight, bias) }, at: input)
    expectGradient(gradient.weight, of: { loss(input, $0, bias) }, at: weight)
    expectGradient(gradient.bias, of: { loss(input, weight, $0) }, at: bias)
  }

  @Test func `normalisation by the root mean square`() {
    let (rows, size) = (3, 5)
    let input = doubles(15, seed: 1)
    let weight = doubles(5, seed: 2)
    let upstream = doubles(15, seed: 4)
    func loss(_ input: [Double], _ weight: [Double]) -> Double {
      Reference.dot(upstream, Reference.rmsNorm(input, weight: weight, epsilon: 0.1, rows: rows, size: size).output)
    }
    let gradient = Reference.rmsNormBackward(
      input, weight: weight, epsilon: 0.1, outputGradient: upstream, rows: rows, size: size)
    expectGradient(gradient.input, of: { loss($0, weight) }, at: input)
    expectGradient(gradient.weight, of: { loss(input, $0) }, at: weight)
    let known = Reference.rmsNorm([3, 4], weight: [1, 10], epsilon: 12.5, rows: 1, size: 2)
    #expect(Comparison(known.output, [0.6, 8]).matches(absolute: 1e-14))
    #expect(Comparison(known.inverseDeviations, [0.2]).matches(absolute: 1e-14))
  }

  @Test func `SwiGLU, whose gate PyTorch gives to six digits`() {
    let points = (-40...40).map { Double($0) / 8 }
    expectGradient(points.map(Reference.siluSlope), of: { $0.map(Reference.silu).reduce(0, +) }, at: points)
    #expect(
      Comparison([-1.0, 0.5, 2].map(Reference.silu), [-0.268_941, 0.311_230, 1.761_594]).matches(absolute: 1e-6))
    let gateUp = doubles(12, seed: 1)
    let upstream = doubles(6, seed: 2)
    let gradient = Reference.swiGLUBackward(gateUp, outputGradient: upstream, rows: 2, size: 3)
    expectGradient(gradient, of: { Reference.dot(upstream, Reference.swiGLU($0, rows: 2, size: 3)) }, at: gateUp)
    // The gate is the first half of a row.
    #expect(Comparison(Reference.swiGLU([2, 10], rows: 1, size: 1), [17.615_94]).matches(absolute: 1e-4))
  }

  @Test func `rotations turn by the angle, keep lengths, and their inverse is their gradient`() {
    let frequencies = [1.0, 0.25]
    let turned = Reference.rotated([1, 0, 0, 2], positions: [2], frequencies: frequencies, headCount: 1)
    // cos 2, -2 sin 0.5, sin 2, 2 cos 0.5.
    #expect(Comparison(turned, [-0.416_147, -0.958_851, 0.909_297, 1.755_165]).matches(absolute: 1e-6))
    let rows = doubles(16, seed: 1)
    let upstream = doubles(16, seed: 2)
    func turn(_ rows: [Double], isInverse: Bool = false) -> [Double] {
      Reference.rotated(rows, positions: [3, 7], frequencies: frequencies, headCount: 2, isInverse: isInverse)
    }
    #expect(Comparison(turn(turn(rows), isInverse: true), rows).matches(absolute: 1e-14))
    expectGradient(turn(upstream, isInverse: true), of: { Reference.dot(upstream, turn($0)) }, at: rows)
  }

  @Test func `GELU, whose values PyTorch gives to six digits`() {
    let points = (-40...40).map { Double($0) / 8 }
    let slopes = points.map(Reference.geluTanhSlope)
    expectGradient(slopes, of: { $0.map(Reference.geluTanh).reduce(0, +) }, at: points)
    #expect(
      Comparison([-1.0, 0.5, 2].map(Reference.geluTanh), [-0.158_808, 0.345_714, 1.954_598]).matches(absolute: 1e-6))
    #expect(
      Comparison([-1.0, 0.5, 2].map(Reference.geluExact), [-0.158_655, 0.345_731, 1.954_500]).matches(absolute: 1e-6))
  }

  @Test func `embeddings`() {
    let ids = [2, 0, 2, 2]
    let upstream = doubles(12, seed: 1)
    let gradient = Reference.embeddingBackward(upstream, ids: ids, entries: 4, size: 3)
    expectGradient(
      gradient, of: { Reference.dot(upstream, Reference.embedding($0, ids: ids, size: 3)) }, at: doubles(12, seed: 2))
  }

  @Test(arguments: [1, 2, Int.max])
  func `tree attention`(window: Int) {
    let parents = [-1, 0, 1, 1, 3, -1, 5]
    let layer = Reference.Attention(headCount: 2, headDimension: 3, window: window, scale: 0.7)
    let point = doubles(parents.count * 18, seed: 1)
    let upstream = doubles(parents.count * 6, seed: 2)
    for nodes in [0..<7, 2..<5] {
      let counted = upstream.enumerated().map { nodes.contains($0.offset / 6) ? $0.element : 0 }
      let gradient = Reference.treeAttentionBackward(
        point, parents: parents, nodes: nodes, outputGradient: upstream, layer: layer)
      expectGradient(
        gradient, of: { Reference.dot(counted, Reference.treeAttention($0, parents: parents, layer: layer)) },
        at: point)
    }
  }

  @Test func `tree attention whose query heads share keys and values`() {
    let parents = [-1, 0, 1, 1, 3, -1, 5]
    let layer = Reference.Attention(headCount: 4, keyValueHeadCount: 2, headDimension: 3, window: 3, scale: 0.7)
    let point = doubles(parents.count * layer.rowSize, seed: 1)
    let upstream = doubles(parents.count * layer.hiddenSize, seed: 2)
    let gradient = Reference.treeAttentionBackward(
      point, parents: parents, nodes: 0..<7, outputGradient: upstream, layer: layer)
    expectGradient(
      gradient, of: { Reference.dot(upstream, Reference.treeAttention($0, parents: parents, layer: layer)) },
      at: point)
    // Heads 0 and 1 read the first keys and values, 2 and 3 the second: written out, it is attention without sharing.
    var rows: [Double] = []
    for node in parents.indices {
      let row = Array(point[node * layer.rowSize..<(node + 1) * layer.rowSize])
      rows += row[..<12]
      for part in [12, 18] { for head in [0, 0, 1, 1] { rows += row[part + head * 3..<part + (head + 1) * 3] } }
    }
    let plain = Reference.Attention(headCount: 4, headDimension: 3, window: 3, scale: 0.7)
    #expect(
      Reference.treeAttention(point, parents: parents, layer: layer)
        == Reference.treeAttention(rows, parents: parents, layer: plain))
  }

  @Test func `attention of a sequence without limit equals attention of a text over its last token`() {
    let layer = Reference.Attention(headCount: 2, headDimension: 4, window: .max, scale: 0.5)
    let point = doubles(5 * 24, seed: 1)
    let chain = Reference.treeAttention(point, parents: [-1, 0, 1, 2, 3], layer: layer)
    let text = Reference.bidirectionalAttention(point, texts: [0..<5], rows: 5, headCount: 2, headDimension: 4)
    #expect(Comparison(Array(chain.suffix(8)), Array(text.suffix(8))).matches(absolute: 1e-14))
    #expect(!Comparison(chain, text).matches(absolute: 1e-3))
  }

  @Test func `losses on logits`() {
    let (rows, size) = (4, 3)
    let hidden = doubles(rows * size, seed: 1)
    let weight = doubles(7 * size, seed: 2)
    let frozen = Reference.Head(hidden: doubles(rows * 2, seed: 3), weight: doubles(14, seed: 4), hiddenSize: 2)
    let losses = [
      Reference.RowLoss(targets: [(3, 0.5), (3, 1), (0, -2)]),
      Reference.RowLoss(targets: [], forwardKLWeight: 1.5),
      Reference.RowLoss(targets: [(6, 1)], reverseKLWeight: -0.5),
      Reference.RowLoss(targets: []),
    ]
    func values(_ hidden: [Double], _ weight: [Double]) -> Reference.HeadValues {
      Reference.evaluate(
        losses, head: Reference.Head(hidden: hidden, weight: weight, hiddenSize: size), reference: frozen)
    }
    let result = values(hidden, weight)
    expectGradient(result.hiddenGradient, of: { values($0, weight).value }, at: hidden)
    expectGradient(result.weightGradient, of: { values(hidden, $0).value }, at: weight)
    #expect(result.forwardKLs.allSatisfy { $0 > 0 } && result.reverseKLs.allSatisfy { $0 > 0 })
    #expect(result.entropies.allSatisfy { $0 > 0 && $0 < 1.945_910_2 })
  }

  @Test func `AdamW takes the steps of PyTorch`() {
    // torch.optim.AdamW([1.0, -0.5], lr=0.1, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1), three steps in float64.
    var optimizer = Reference.AdamW(
      parameters: [1, -0.5], learningRate: 0.1, beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1)
    for gradient in [[0.5, -1.0], [-0.25, 2], [0.125, 0.5]] { optimizer.step(gradient) }
    #expect(Comparison(optimizer.parameters, adamWGolden).matches(absolute: 1e-12), "\(optimizer.parameters)")
  }
}

/// What PyTorch printed for the test above.
private let adamWGolden = [0.811_732_324_966_999_7, -0.464_927_128_172_517_5]
