import Kernels
import TestSupport
import Testing
import Transformers

/// Where a tree is computed in another order or shape, the result is the same.
///
/// Serialised, because one test sets the number of threads and others compare bits.
@Suite(.serialized) struct TreeTests {
  /// Two documents: a trunk of 20 tokens with long and short branches, their nodes in an order that mixes them,
  /// so that attention meets long chains with ancestors in one piece and in several, and nodes one by one.
  static let branched: TokenTree = {
    var tree = TokenTree()
    let trunk = tree.appendChain((0..<20).map { ($0 * 7 + 3) % 60 })
    let longBranch = tree.appendChain((0..<15).map { ($0 * 11 + 5) % 60 }, below: trunk[trunk.startIndex + 9])
    for child in 0..<4 { tree.append(token: 20 + child, parent: trunk.upperBound - 1) }
    let other = tree.appendChain((0..<3).map { $0 + 30 })
    tree.appendChain((0..<14).map { ($0 * 13 + 1) % 60 }, below: longBranch.upperBound - 1)
    var ends = [trunk.upperBound, trunk.upperBound + 4, other.upperBound - 1]
    for depth in 0..<4 {
      for index in ends.indices { ends[index] = tree.append(token: depth * 9 + index, parent: ends[index]) }
    }
    tree.appendChain((0..<12).map { 59 - $0 }, below: other.lowerBound)
    return tree
  }()

  /// The same tree, shallow nodes first; `origins` are the nodes' indices in `tree`.
  static func levelOrdered(_ tree: TokenTree) -> (tree: TokenTree, origins: [Int], levels: [Range<Int>]) {
    var ordered = TokenTree()
    var places = [Int](repeating: 0, count: tree.count)
    var origins: [Int] = []
    var levels: [Range<Int>] = []
    for depth in 0...Int(tree.positions.max() ?? 0) {
      let start = ordered.count
      for node in 0..<tree.count where tree.positions[node] == depth {
        let parent = Int(tree.parents[node])
        places[node] = ordered.append(token: Int(tree.tokens[node]), parent: parent < 0 ? nil : places[parent])
        origins.append(node)
      }
      levels.append(start..<ordered.count)
    }
    return (ordered, origins, levels)
  }

  /// A target at every node, so that every row of hidden states has a gradient.
  static func everywhere(_ tree: TokenTree, vocabularySize: Int, weight: (Int) -> Float) -> HeadLoss {
    HeadLoss(
      targetStarts: Array(0...tree.count),
      targetTokens: tree.tokens.enumerated().map { Int32(($0 * 5 + Int($1) + 1) % vocabularySize) },
      targetWeights: (0..<tree.count).map(weight))
  }

  static func weight(_ node: Int) -> Float { Float(node % 5) * 0.01 - 0.015 }

  private func rows(_ buffer: FloatBuffer, _ nodes: [Int], _ size: Int) -> [Float] {
    nodes.flatMap { Array(buffer.elements[$0 * size..<($0 + 1) * size]) }
  }

  private func expectEqualGradients(
    _ actual: FloatBuffer, _ expected: FloatBuffer, _ model: any LanguageModel, relative: Double = 1e-5
  ) {
    expectTensors(actual, of: model, relative: relative) { Array(expected.elements[$0.range]) }
  }

  /// Activations and gradients of the whole tree at once.
  private func reference(
    _ tree: TokenTree, _ model: any LanguageModel
  ) -> (activations: Activations, gradients: FloatBuffer) {
    let activations = model.makeActivations(capacity: tree.count, keepsForBackward: true)
    model.forward(tree, activations: activations)
    var loss = Self.everywhere(tree, vocabularySize: model.vocabularySize, weight: Self.weight)
    return (activations, lossGradients(of: &loss, tree, model, activations))
  }

  @Test(arguments: Architecture.allCases)
  func `each path through a tree equals the lone sequence`(architecture: Architecture) throws {
    let model = try architecture.model("policy")
    let tree = Self.branched
    let whole = reference(tree, model).activations
    let parents = Set(tree.parents)
    for leaf in 0..<tree.count where !parents.contains(Int32(leaf)) {
      let path = tree.path(to: leaf)
      var alone = TokenTree()
      alone.appendChain(path.map { Int(tree.tokens[$0]) })
      let activations = model.makeActivations(capacity: alone.count, keepsForBackward: false)
      model.forward(alone, activations: activations)
      let comparison = Comparison(
        rows(whole.hidden, path, model.hiddenSize), rows(activations.hidden, Array(0..<alone.count), model.hiddenSize))
      #expect(comparison.matches(absolute: 2e-5), "path to \(leaf): \(comparison)")
    }
  }

  @Test(arguments: Architecture.allCases)
  func `the gradient of a tree is the sum of the gradients of its paths`(architecture: Architecture) throws {
    let model = try architecture.model("policy")
    let tree = Self.branched
    let expected = reference(tree, model).gradients
    // Each node's target counts in the first path that passes through it.
    var chains = TokenTree()
    var weights: [Float] = []
    var tokens: [Int32] = []
    var seen: Set<Int> = []
    let targets = Self.everywhere(tree, vocabularySize: model.vocabularySize, weight: Self.weight)
    let parents = Set(tree.parents)
    for leaf in 0..<tree.count where !parents.contains(Int32(leaf)) {
      let path = tree.path(to: leaf)
      chains.appendChain(path.map { Int(tree.tokens[$0]) })
      for node in path {
        tokens.append(targets.targetTokens[node])
        weights.append(seen.insert(node).inserted ? targets.targetWeights[node] : 0)
      }
    }
    let activations = model.makeActivations(capacity: chains.count, keepsForBackward: true)
    model.forward(chains, activations: activations)
    var loss = HeadLoss(targetStarts: Array(0...chains.count), targetTokens: tokens, targetWeights: weights)
    let summed = lossGradients(of: &loss, chains, model, activations)
    expectEqualGradients(summed, expected, model)
  }

  @Test(arguments: Architecture.allCases)
  func `level by level equals all at once`(architecture: Architecture) throws {
    let model = try architecture.model("policy")
    let (tree, origins, levels) = Self.levelOrdered(Self.branched)
    #expect(levels.count == 39)
    let whole = reference(Self.branched, model)
    let activations = model.makeActivations(capacity: tree.count, keepsForBackward: true)
    for level in levels { model.forward(tree, nodes: level, activations: activations) }
    let comparison = Comparison(
      rows(activations.hidden, Array(0..<tree.count), model.hiddenSize),
      rows(whole.activations.hidden, origins, model.hiddenSize))
    #expect(comparison.matches(absolute: 2e-5), "\(comparison)")

    let original = Self.everywhere(Self.branched, vocabularySize: model.vocabularySize, weight: Self.weight)
    var loss = HeadLoss(
      targetStarts: Array(0...tree.count), targetTokens: origins.map { original.targetTokens[$0] },
      targetWeights: origins.map { original.targetWeights[$0] })
    expectEqualGradients(lossGradients(of: &loss, tree, model, activations), whole.gradients, model)
  }

  @Test(arguments: Architecture.allCases, [1, 5, 13, 29])
  func `ranges of nodes equal all at once`(architecture: Architecture, length: Int) throws {
    let model = try architecture.model("policy")
    let tree = Self.branched
    let whole = reference(tree, model)
    // More room than nodes, and filled with numbers that would show if they were read.
    let activations = model.makeActivations(capacity: tree.count + 7, keepsForBackward: true)
    for value in activations.hidden.elements.indices { activations.hidden.pointer[value] = .nan }
    for start in stride(from: 0, to: tree.count, by: length) {
      model.forward(tree, nodes: start..<min(tree.count, start + length), activations: activations)
    }
    let nodes = Array(0..<tree.count)
    let comparison = Comparison(
      rows(activations.hidden, nodes, model.hiddenSize), rows(whole.activations.hidden, nodes, model.hiddenSize))
    #expect(comparison.matches(absolute: 2e-5), "\(comparison)")
    var loss = Self.everywhere(tree, vocabularySize: model.vocabularySize, weight: Self.weight)
    expectEqualGradients(lossGradients(of: &loss, tree, model, activations), whole.gradients, model)
  }

  @Test(arguments: Architecture.allCases)
  func `hidden states do not depend on keeping what the backward pass needs`(architecture: Architecture) throws {
    let model = try architecture.model("policy")
    let (tree, _, levels) = Self.levelOrdered(Self.branched)
    let kept = model.makeActivations(capacity: tree.count, keepsForBackward: true)
    let dropped = model.makeActivations(capacity: tree.count, keepsForBackward: false)
    #expect(kept.keepsForBackward && !dropped.keepsForBackward)
    model.forward(tree, activations: kept)
    model.forward(tree, activations: dropped)
    #expect(kept.hidden.array == dropped.hidden.array)
    for level in levels {
      model.forward(tree, nodes: level, activations: kept)
      model.forward(tree, nodes: level, activations: dropped)
    }
    #expect(kept.hidden.array == dropped.hidden.array)
  }

  @Test(arguments: Architecture.allCases)
  func `more nodes than fit a chunk equal the same nodes in parts`(architecture: Architecture) throws {
    let model = try architecture.model("policy")
    var tree = TokenTree()
    var parts: [TokenTree] = []
    for part in 0..<3 {
      var own = TokenTree()
      for chain in 0..<15 {
        let tokens = (0..<37).map { ($0 * (chain + 2) + part * 17) % 61 }
        tree.appendChain(tokens)
        own.appendChain(tokens)
      }
      parts.append(own)
    }
    #expect(tree.count == 1_665)
    let whole = reference(tree, model)
    let summed = FloatBuffer(count: model.parameterCount)
    var start = 0
    for part in parts {
      let activations = model.makeActivations(capacity: part.count, keepsForBackward: true)
      model.forward(part, activations: activations)
      let nodes = Array(start..<start + part.count)
      let comparison = Comparison(
        rows(activations.hidden, Array(0..<part.count), model.hiddenSize),
        rows(whole.activations.hidden, nodes, model.hiddenSize))
      #expect(comparison.matches(absolute: 2e-5), "\(comparison)")
      let targets = Self.everywhere(tree, vocabularySize: model.vocabularySize, weight: Self.weight)
      var loss = HeadLoss(
        targetStarts: Array(0...part.count), targetTokens: nodes.map { targets.targetTokens[$0] },
        targetWeights: nodes.map { targets.targetWeights[$0] })
      let gradients = lossGradients(of: &loss, part, model, activations)
      for index in 0..<summed.count { summed.pointer[index] += gradients.pointer[index] }
      start += part.count
    }
    expectEqualGradients(summed, whole.gradients, model, relative: 2e-5)
  }

  @Test(arguments: Architecture.allCases)
  func `one thread and two give the same numbers`(architecture: Architecture) throws {
    let model = try architecture.model("policy")
    // Enough nodes for every product to be split.
    var tree = Self.branched
    for chain in 0..<40 { tree.appendChain((0..<24).map { ($0 * 5 + chain) % 61 }) }
    let threads = Threads.count
    defer { Threads.count = threads }
    Threads.count = 1
    let alone = reference(tree, model)
    Threads.count = 2
    let together = reference(tree, model)
    let again = reference(tree, model)
    #if canImport(Accelerate)
      let comparison = Comparison(together.activations.hidden.array, alone.activations.hidden.array)
      #expect(comparison.matches(absolute: 2e-5), "\(comparison)")
      expectEqualGradients(together.gradients, alone.gradients, model)
    #else
      #expect(together.activations.hidden.array == alone.activations.hidden.array)
      #expect(together.gradients.array == alone.gradients.array)
    #endif
    #expect(again.activations.hidden.array == together.activations.hidden.array)
    #expect(again.gradients.array == together.gradients.array)
  }

  @Test(arguments: Architecture.allCases)
  func `gradients are added to what is there`(architecture: Architecture) throws {
    let model = try architecture.model("policy")
    let tree = Self.branched
    let (activations, once) = reference(tree, model)
    let gradients = FloatBuffer(count: model.parameterCount)
    for index in 0..<gradients.count { gradients.pointer[index] = 1 }
    let hiddenGradient = FloatBuffer(count: tree.count * model.hiddenSize, isZeroed: false)
    var loss = Self.everywhere(tree, vocabularySize: model.vocabularySize, weight: Self.weight)
    model.head.evaluate(
      &loss, hidden: activations.hidden.pointer,
      gradients: HeadGradients(hidden: hiddenGradient.pointer, weight: gradients.pointer + model.headOffset))
    model.backward(tree, activations: activations, hiddenGradient: hiddenGradient, gradients: gradients)
    let comparison = Comparison(gradients.array, once.array.map { $0 + 1 })
    #expect(comparison.matches(absolute: 1e-5), "\(comparison)")
  }
}
