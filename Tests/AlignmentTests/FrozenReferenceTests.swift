import Alignment
import Kernels
import TestSupport
import Testing
import Transformers

struct FrozenReferenceTests {
  /// Logits of the nodes from `first` on, from one forward pass over the whole tree.
  private func plainLogits(_ model: any LanguageModel, _ tree: TokenTree, from first: Int) -> [Float] {
    let activations = model.makeActivations(capacity: tree.count, keepsForBackward: false)
    model.forward(tree, activations: activations)
    let rows = tree.count - first
    let logits = FloatBuffer(count: rows * model.vocabularySize)
    linear(
      activations.hidden.pointer + first * model.hiddenSize, weight: model.head.weight, into: logits.pointer,
      rows: rows, inputSize: model.hiddenSize, outputSize: model.vocabularySize)
    return logits.array
  }

  /// What a reference says of the nodes from `first` on, asked for `chunk` rows at a time.
  private func logits(
    _ reference: FrozenReference, _ tree: TokenTree, from first: Int, step: Int, chunk: Int
  ) -> [Float] {
    let answer = reference.logits(tree, from: first, step: step)
    let rows = tree.count - first
    let size = answer.vocabularySize
    let result = FloatBuffer([Float](repeating: .nan, count: rows * size))
    for start in stride(from: 0, to: rows, by: chunk) {
      answer.write(start..<min(rows, start + chunk), result.pointer + start * size)
    }
    return result.array
  }

  /// Random stories below one prompt, some of them beginning as another does.
  private func stories(
    _ count: Int, length: Int, vocabularySize: Int, prompt: [Int], shared: Double, seed: Int
  ) -> [[Int]] {
    let random = KeyedRandom(seed: UInt64(seed))
    func draw(_ a: Int, _ b: Int, below limit: Int) -> Int { Int(random.keyed(a).keyed(b).uniform * Double(limit)) }
    var stories: [[Int]] = []
    for story in 0..<count {
      var tokens = prompt
      if story > 0, random.keyed(story).keyed(1 << 20).uniform < shared {
        let other = stories[draw(story, 1 << 21, below: story)]
        tokens = Array(other.prefix(prompt.count + draw(story, 1 << 22, below: length)))
      }
      while tokens.count < prompt.count + length {
        tokens.append(draw(story, tokens.count, below: vocabularySize))
      }
      stories.append(tokens)
    }
    return stories
  }

  private func tree(_ stories: some Sequence<[Int]>) -> TokenTree {
    var builder = TokenTreeBuilder()
    for story in stories { builder.insert(story) }
    return builder.tree
  }

  /// The same tree as a roll-out leaves it, level by level.
  private func levelOrdered(_ tree: TokenTree) -> TokenTree {
    var ordered = TokenTree()
    var places = [Int](repeating: 0, count: tree.count)
    for node in (0..<tree.count).sorted(by: { (tree.positions[$0], $0) < (tree.positions[$1], $1) }) {
      let parent = Int(tree.parents[node])
      places[node] = ordered.append(token: Int(tree.tokens[node]), parent: parent < 0 ? nil : places[parent])
    }
    return ordered
  }

  /// Fails unless the logits are the same: to the bit where `isExact` and products are our own, else within rounding.
  private func expectSame(
    _ actual: [Float], _ expected: [Float], isExact: Bool, _ label: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #if !canImport(Accelerate)
      if isExact {
        #expect(actual.map(\.bitPattern) == expected.map(\.bitPattern), "\(label)", sourceLocation: sourceLocation)
        return
      }
    #endif
    let comparison = Comparison(actual, expected)
    #expect(comparison.matches(absolute: 5e-5), "\(label): \(comparison)", sourceLocation: sourceLocation)
  }

  /// Steps whose trees share prefixes with those before: half of the stories are new, the others from earlier steps.
  private func steps(_ count: Int, stories number: Int, length: Int, vocabularySize: Int, prompt: [Int]) -> [TokenTree]
  {
    var earlier: [[Int]] = []
    return (1...count).map { step in
      let new = stories(number, length: length, vocabularySize: vocabularySize, prompt: prompt, shared: 0.5, seed: step)
      let kept = step == 1 ? [] : earlier.enumerated().filter { ($0.offset + step) % 2 == 0 }.map(\.element)
      let all = Array(new.prefix(number - kept.count / 2)) + kept.prefix(number)
      earlier = all
      return levelOrdered(tree(all))
    }
  }

  @Test(arguments: [0, 1, 40, 100_000])
  func `trees of short stories have the logits of one forward pass to the bit, whatever is cached`(
    cacheRows: Int
  ) throws {
    // No path of 12 nodes: each node's attention is computed on its own, in whatever tree.
    let model = try randomModel(vocabularySize: 17)
    let prompt = [3, 1, 4]
    let reference = FrozenReference(model, depth: 11, cacheRows: cacheRows)
    for (index, tree) in steps(5, stories: 420, length: 8, vocabularySize: 17, prompt: prompt).enumerated() {
      #expect(tree.count > 2 * FrozenReference.partSize)
      let first = prompt.count - 1
      let actual = logits(reference, tree, from: first, step: index + 1, chunk: [576, 7, 100_000][index % 3])
      expectSame(
        actual, plainLogits(model, tree, from: first), isExact: true, "step \(index + 1), \(cacheRows) rows kept")
      #expect(reference.knownCount <= cacheRows)
      #expect((reference.knownCount > 0) == (cacheRows > 0 && index > 0))
    }
  }

  @Test(arguments: [0, 200, 100_000])
  func `of long stories nothing is cached, and each step has the logits of one forward pass`(cacheRows: Int) throws {
    // Unbranched paths are computed by products or node by node, as the order of the nodes leaves them: within rounding.
    let model = try randomModel(vocabularySize: 7)
    let prompt = [3, 1, 4, 1, 5]
    let reference = FrozenReference(model, depth: 45, cacheRows: cacheRows)
    for (index, tree) in steps(4, stories: 110, length: 40, vocabularySize: 7, prompt: prompt).enumerated() {
      #expect(tree.count > 2_500)
      let actual = logits(reference, tree, from: 4, step: index + 1, chunk: 576)
      expectSame(
        actual, plainLogits(model, tree, from: 4), isExact: false, "step \(index + 1), \(cacheRows) rows kept")
      // What it says does not depend on the steps before.
      let fresh = FrozenReference(model, depth: 45, cacheRows: 0)
      expectSame(actual, logits(fresh, tree, from: 4, step: 1, chunk: 576), isExact: true, "step \(index + 1)")
    }
    #expect(reference.knownCount == 0)
  }

  @Test(arguments: [0, 40, 100_000])
  func `short stories after a long prompt have the same logits to the bit, whatever is cached`(cacheRows: Int) throws {
    let model = try randomModel(vocabularySize: 17)
    let prompt = (0..<30).map { ($0 * 7) % 17 }
    let reference = FrozenReference(model, depth: 38, promptLength: 30, cacheRows: cacheRows)
    // A step of a single story would be one unbranched path.
    let trees = steps(4, stories: 60, length: 8, vocabularySize: 17, prompt: prompt)
    let lonely = trees.map { tree in self.tree([tree.path(to: tree.count - 1).map { Int(tree.tokens[$0]) }]) }
    for (index, tree) in zip(trees, lonely).flatMap({ [$0, $1, $0] }).enumerated() {
      let actual = logits(reference, tree, from: 29, step: index + 1, chunk: 33)
      let fresh = FrozenReference(model, depth: 38, promptLength: 30, cacheRows: 0)
      let expected = logits(fresh, tree, from: 29, step: 1, chunk: 100)
      expectSame(actual, expected, isExact: true, "step \(index + 1), \(cacheRows) rows kept")
      expectSame(actual, plainLogits(model, tree, from: 29), isExact: false, "step \(index + 1)")
    }
    #expect((reference.knownCount > 0) == (cacheRows > 0))
  }

  @Test func `stories deeper than a part of the tree are computed whole`() throws {
    let depth = FrozenReference.partSize + 160
    let model = try randomModel(vocabularySize: 7, contextLength: depth)
    let trunk = stories(1, length: depth - 100, vocabularySize: 7, prompt: [2], shared: 0, seed: 1)[0]
    let branches = (0..<30).map { branch in
      stories(
        1, length: 90, vocabularySize: 7, prompt: Array(trunk.prefix(20 + branch * 35)), shared: 0, seed: branch + 2)[0]
    }
    let tree = levelOrdered(tree([trunk] + branches))
    #expect(tree.count > 2 * depth && tree.count > 2_500)
    let expected = plainLogits(model, tree, from: 0)
    let reference = FrozenReference(model, depth: depth, cacheRows: 500)
    for step in 1...3 {
      let actual = logits(reference, tree, from: 0, step: step, chunk: 600)
      expectSame(actual, expected, isExact: false, "step \(step)")
    }
    #expect(reference.knownCount == 0)
  }

  @Test func `a prefix is kept from the second time that it is met`() throws {
    let model = try randomModel(vocabularySize: 17)
    let trees = (1...3).map { tree(stories(20, length: 6, vocabularySize: 17, prompt: [3], shared: 0.5, seed: $0)) }
    let reference = FrozenReference(model, depth: 7, cacheRows: 1_000)
    func meet(_ tree: TokenTree, step: Int, from first: Int = 0) {
      let actual = logits(reference, tree, from: first, step: step, chunk: 50)
      expectSame(actual, plainLogits(model, tree, from: first), isExact: true, "step \(step)")
    }
    meet(trees[0], step: 1)
    #expect(reference.knownCount == 0)
    // Another tree shares with it the prompt, and few first tokens.
    meet(trees[1], step: 2)
    let shared = reference.knownCount
    #expect((1...20).contains(shared))
    meet(trees[0], step: 3)
    let all = reference.knownCount
    #expect(all == trees[0].count)
    meet(trees[0], step: 4)
    #expect(reference.knownCount == all)
    // Nodes before the first row are met by nobody.
    meet(trees[2], step: 5, from: trees[2].count)
    #expect(reference.knownCount == all)
  }

  @Test func `what was not met for longest makes place`() throws {
    let model = try randomModel(vocabularySize: 17)
    // Chains of 5 nodes that share nothing.
    let chains = (0..<4).map { tree([[4 * $0, 1, 2, 3, 4]]) }
    let reference = FrozenReference(model, depth: 5, cacheRows: 12)
    var step = 0
    func meet(_ chain: Int) {
      step += 1
      let actual = logits(reference, chains[chain], from: 0, step: step, chunk: 3)
      expectSame(actual, plainLogits(model, chains[chain], from: 0), isExact: true, "step \(step), chain \(chain)")
    }
    for chain in [0, 0, 1, 1] { meet(chain) }
    #expect(reference.knownCount == 10)
    // Two free places, then three of the first chain's, which is older.
    for chain in [2, 2] { meet(chain) }
    #expect(reference.knownCount == 12)
    // The second and third are still there: they drive nothing out, and the rest of the first is what leaves.
    for chain in [1, 2, 3, 3, 1, 2, 3, 0, 1, 2, 3, 0] {
      meet(chain)
      #expect(reference.knownCount == 12)
    }
  }

  @Test func `parts of one step share what is known`() throws {
    let model = try randomModel(vocabularySize: 17)
    let all = stories(60, length: 6, vocabularySize: 17, prompt: [3, 5], shared: 0.7, seed: 9)
    let parts = stride(from: 0, to: 60, by: 20).map { tree(all[$0..<$0 + 20]) }
    let reference = FrozenReference(model, depth: 8, cacheRows: 15)
    for step in 1...4 {
      for (index, part) in parts.enumerated() {
        let actual = logits(reference, part, from: 1, step: step, chunk: 33)
        expectSame(actual, plainLogits(model, part, from: 1), isExact: true, "step \(step), part \(index)")
      }
    }
    #expect(reference.knownCount == 15)
  }
}
