import Testing
import Transformers

@Suite struct TokenTreeTests {
  @Test func `samples share their common beginnings`() {
    var builder = TokenTreeBuilder()
    let first = builder.insert([5, 6, 7])
    let second = builder.insert([5, 6, 8, 9])
    let third = builder.insert([5])
    let fourth = builder.insert([6, 7])
    let fifth = builder.insert([5, 6, 7])
    #expect(first == [0, 1, 2])
    #expect(second == [0, 1, 3, 4])
    #expect(third == [0])
    #expect(fourth == [5, 6])
    #expect(fifth == first)
    let tree = builder.tree
    #expect(tree.tokens == [5, 6, 7, 8, 9, 6, 7])
    #expect(tree.parents == [-1, 0, 1, 1, 3, -1, 5])
    #expect(tree.positions == [0, 1, 2, 2, 3, 0, 1])
    #expect(tree.sampleCounts == [4, 3, 2, 1, 1, 1, 1])
    #expect(builder.insert([]).isEmpty)
    #expect(builder.tree.count == 7)
  }

  @Test func `a merged tree keeps every sample and no more`() throws {
    let samples = try Architecture.neo.facts().samples.map(\.tokenIds)
    var builder = TokenTreeBuilder()
    let nodes = samples.map { builder.insert($0) }
    let tree = builder.tree
    var prefixes: Set<[Int]> = []
    for sample in samples {
      for length in 1...sample.count { prefixes.insert(Array(sample.prefix(length))) }
    }
    #expect(tree.count == prefixes.count)
    for node in 0..<tree.count {
      #expect(tree.parents[node] < node)
      let path = tree.path(to: node)
      #expect(path.count == Int(tree.positions[node]) + 1)
      #expect(prefixes.remove(path.map { Int(tree.tokens[$0]) }) != nil)
      #expect(Int(tree.sampleCounts[node]) == nodes.filter { $0.contains(node) }.count)
    }
    for (sample, nodes) in zip(samples, nodes) {
      #expect(nodes.last.map { tree.path(to: $0) } == nodes)
      #expect(nodes.map { Int(tree.tokens[$0]) } == sample)
    }
  }

  @Test func `chains share nothing`() {
    var tree = TokenTree()
    #expect(tree.appendChain([1, 2, 3]) == 0..<3)
    #expect(tree.appendChain([1, 2], sampleCount: 4) == 3..<5)
    #expect(tree.appendChain([9, 9], below: 1) == 5..<7)
    #expect(tree.appendChain([], below: 1).isEmpty)
    #expect(tree.parents == [-1, 0, 1, -1, 3, 1, 5])
    #expect(tree.positions == [0, 1, 2, 0, 1, 2, 3])
    #expect(tree.sampleCounts == [1, 1, 1, 4, 4, 1, 1])
    #expect(tree.path(to: 6) == [0, 1, 5, 6])
    #expect(tree.path(to: 3) == [3])
  }

  @Test func `an empty tree is filled node by node`() {
    var tree = TokenTree()
    #expect(tree.count == 0)
    #expect(tree.parents.isEmpty && tree.positions.isEmpty && tree.sampleCounts.isEmpty)
    #expect(tree.append(token: 4, parent: nil, sampleCount: 2) == 0)
    #expect(tree.append(token: 5, parent: 0) == 1)
    #expect(tree.positions == [0, 1])
    #expect(tree.sampleCounts == [2, 1])
  }
}
