import Kernels
import ReferenceKernels
import TestSupport
import Testing

extension KernelTests {
  @Suite struct TreeAttentionTests {
    /// A layer over a tree, with its inputs and what plain loops make of them.
    private struct Case {
      let label: String
      let parents: [Int]
      let shortParents: [Int32]
      let fast: TreeAttention
      let plain: Reference.Attention
      let input: Guarded
      let outputGradient: Guarded
      let initialGradient: [Float]

      init(
        _ tree: (name: String, parents: [Int]), heads: Int, keyValueHeads: Int? = nil, dimension: Int, window: Int,
        seed: Int
      ) {
        var random = TestRandom(seed)
        parents = tree.parents
        shortParents = parents.map { Int32($0) }
        let scale: Float = seed % 2 == 0 ? 1 : 1 / Float(dimension).squareRoot()
        fast = TreeAttention(
          headCount: heads, keyValueHeadCount: keyValueHeads, headDimension: dimension, window: window, scale: scale)
        plain = Reference.Attention(
          headCount: heads, keyValueHeadCount: keyValueHeads, headDimension: dimension, window: window,
          scale: Double(scale))
        input = Guarded(random.floats(parents.count * plain.rowSize, in: -1.5...1.5))
        outputGradient = Guarded(random.floats(parents.count * plain.hiddenSize))
        initialGradient = random.floats(parents.count * plain.rowSize)
        let sharing = keyValueHeads.map { " that share \($0) of keys and values" } ?? ""
        label = "\(tree.name), \(heads) heads of \(dimension)\(sharing), window \(window)"
      }

      /// Also keeps the inputs alive while kernels hold their addresses.
      func checkInputs() { checkMargins(input, outputGradient) }

      var everything: Range<Int> { 0..<parents.count }

      /// Ranges that cover all nodes and cut chains wherever it happens.
      func ranges(seed: Int) -> [Range<Int>] {
        var random = TestRandom(seed)
        var ranges: [Range<Int>] = []
        while (ranges.last?.upperBound ?? 0) < parents.count {
          let start = ranges.last?.upperBound ?? 0
          ranges.append(start..<min(parents.count, start + random.int(1..<50)))
        }
        return ranges
      }
    }

    private static func cases() -> [Case] {
      var cases: [Case] = []
      for (index, tree) in Trees.named.enumerated() {
        for window in [1, 3, 8, 70, Int.max] {
          for heads in 1...3 {
            let dimension = [1, 4, 5, 8, 16, 17, 33][(index + heads * 3 + window % 11) % 7]
            cases.append(Case(tree, heads: heads, dimension: dimension, window: window, seed: cases.count))
          }
        }
        // Several query heads for each head of keys and values, at the group sizes of Llama and SmolLM2, and one for all.
        for (heads, keyValueHeads) in [(4, 2), (9, 3), (5, 1), (3, 3)] {
          let dimension = [1, 4, 6, 8, 17][(index + heads) % 5]
          cases.append(
            Case(
              tree, heads: heads, keyValueHeads: keyValueHeads, dimension: dimension, window: index % 3 == 0 ? 9 : .max,
              seed: cases.count))
        }
      }
      return cases
    }

    @Test func `attention over every kind of tree agrees with plain loops`() {
      for item in Self.cases() {
        let expected = Reference.treeAttention(item.input.values.doubles, parents: item.parents, layer: item.plain)
        withThreadCounts { _ in
          let output = Guarded(overwritten: expected.count)
          item.fast.forward(
            item.input.readOnly, parents: item.shortParents, nodes: item.everything, into: output.pointer)
          check(output, expected, within: 3e-6, floor: 1, item.label)
        }
        item.checkInputs()
      }
    }

    @Test func `range by range it is what it is at once, and touches no other rows`() {
      for (seed, item) in Self.cases().enumerated() {
        let size = item.plain.hiddenSize
        let rowSize = item.plain.rowSize
        let expected = Reference.treeAttention(item.input.values.doubles, parents: item.parents, layer: item.plain)
        let output = Guarded(overwritten: expected.count)
        for nodes in item.ranges(seed: seed) {
          // Keys, values and queries of later nodes may not matter yet.
          var known = item.input.values
          for index in nodes.upperBound * rowSize..<known.count { known[index] = .nan }
          let input = Guarded(known)
          item.fast.forward(input.readOnly, parents: item.shortParents, nodes: nodes, into: output.pointer)
          checkMargins(input)
          let later = output.values[(nodes.upperBound * size)...]
          #expect(later.count { !$0.isNaN } == 0, "\(item.label): rows after \(nodes) were written")
        }
        check(output, expected, within: 3e-6, floor: 1, item.label)
      }
    }

    @Test func `its gradients agree with plain loops and are added`() {
      for item in Self.cases() {
        let added = Reference.treeAttentionBackward(
          item.input.values.doubles, parents: item.parents, nodes: item.everything,
          outputGradient: item.outputGradient.values.doubles, layer: item.plain)
        let expected = zip(item.initialGradient, added).map { Double($0) + $1 }
        withThreadCounts { _ in
          let gradient = Guarded(item.initialGradient)
          item.fast.backward(
            item.input.readOnly, parents: item.shortParents, nodes: item.everything,
            outputGradient: item.outputGradient.readOnly, queryKeyValueGradient: gradient.pointer)
          check(gradient, expected, within: 3e-6, floor: 1, item.label)
        }
        item.checkInputs()
      }
    }

    @Test func `the gradients of ranges are those of their own outputs, and add up to the whole`() {
      for (seed, item) in Self.cases().enumerated() where seed % 4 == 0 {
        let whole = Reference.treeAttentionBackward(
          item.input.values.doubles, parents: item.parents, nodes: item.everything,
          outputGradient: item.outputGradient.values.doubles, layer: item.plain)
        let sum = Guarded([Float](repeating: 0, count: whole.count))
        for nodes in item.ranges(seed: seed).reversed() {
          let part = Guarded([Float](repeating: 0, count: whole.count))
          for target in [part, sum] {
            item.fast.backward(
              item.input.readOnly, parents: item.shortParents, nodes: nodes,
              outputGradient: item.outputGradient.readOnly, queryKeyValueGradient: target.pointer)
          }
          let expected = Reference.treeAttentionBackward(
            item.input.values.doubles, parents: item.parents, nodes: nodes,
            outputGradient: item.outputGradient.values.doubles, layer: item.plain)
          check(part, expected, within: 3e-6, floor: 1, "\(item.label), nodes \(nodes)")
        }
        check(sum, whole, within: 3e-6, floor: 1, item.label)
        item.checkInputs()
      }
    }

    @Test func `level by level it is what it is at once`() {
      let tree = ("long stories", Trees.longStories())
      for (seed, window) in [4, 12, 60, .max].enumerated() {
        let item = Case(tree, heads: 4, keyValueHeads: seed % 2 == 0 ? 4 : 2, dimension: 8, window: window, seed: seed)
        let expected = Reference.treeAttention(item.input.values.doubles, parents: item.parents, layer: item.plain)
        let whole = Guarded(overwritten: expected.count)
        item.fast.forward(item.input.readOnly, parents: item.shortParents, nodes: item.everything, into: whole.pointer)
        check(whole, expected, within: 3e-6, floor: 1, "at once, \(item.label)")
        let output = Guarded(overwritten: expected.count)
        let input = Guarded(overwritten: item.input.count)
        for level in Trees.levels(item.parents) {
          // A level's queries, keys and values are there only once it is reached.
          let row = item.plain.rowSize
          (input.pointer + level.lowerBound * row).update(
            from: item.input.pointer + level.lowerBound * row, count: level.count * row)
          item.fast.forward(input.readOnly, parents: item.shortParents, nodes: level, into: output.pointer)
        }
        check(output, expected, within: 3e-6, floor: 1, "level by level, \(item.label)")
        checkMargins(input)
        item.checkInputs()
      }
    }

    @Test func `no nodes leave everything as it was`() {
      let item = Case(("a chain", Trees.chain(20)), heads: 2, dimension: 5, window: 8, seed: 1)
      let output = Guarded(item.outputGradient.values)
      let gradient = Guarded(item.initialGradient)
      for nodes in [0..<0, 7..<7, 20..<20] {
        item.fast.forward(item.input.readOnly, parents: item.shortParents, nodes: nodes, into: output.pointer)
        item.fast.backward(
          item.input.readOnly, parents: item.shortParents, nodes: nodes,
          outputGradient: item.outputGradient.readOnly, queryKeyValueGradient: gradient.pointer)
      }
      #expect(output.values == item.outputGradient.values && gradient.values == item.initialGradient)
      item.checkInputs()
    }

    @Test func `large scores saturate and stay finite`() {
      let item = Case(("a roll-out", Trees.rollout()), heads: 2, dimension: 8, window: .max, seed: 2)
      let input = Guarded(item.input.values.map { $0 * 30 })
      let expected = Reference.treeAttention(input.values.doubles, parents: item.parents, layer: item.plain)
      let output = Guarded(overwritten: expected.count)
      item.fast.forward(input.readOnly, parents: item.shortParents, nodes: item.everything, into: output.pointer)
      // Scores of a few thousand are known to a few 1e-4.
      check(output, expected, within: 3e-3, floor: 1, "scores of thousands")
      checkMargins(input)
    }
  }
}
