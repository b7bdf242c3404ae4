import TinyAlign

/// The nodes of a forest of tokens, for attention.
private struct Forest {
  let name: String
  let tree: TokenTree

  /// Pairs of a node and one that it sees, itself included.
  var pairCount: Int { tree.positions.reduce(0) { $0 + Int($1) + 1 } }

  /// What 1,024 stories of 10 tokens, 6 of them prompt, leave: as many prefixes of 7, 8 and 9 tokens as the model in
  /// the program drew in such a step, shared out evenly.
  static var stories: Forest {
    var tree = TokenTree()
    var level = tree.appendChain(0..<6).suffix(1)
    for size in [9, 234, 470] {
      let start = tree.count
      for index in 0..<size { tree.append(token: 0, parent: level.lowerBound + index * level.count / size) }
      level = start..<tree.count
    }
    return Forest(name: "1024 stories", tree: tree)
  }

  /// Ten documents of 200 tokens.
  static var chains: Forest {
    var tree = TokenTree()
    for _ in 0..<10 { tree.appendChain(0..<200) }
    return Forest(name: "10 chains of 200", tree: tree)
  }
}

/// Attention of language models over whole forests.
func registerTreeAttention() {
  for model in modelShapes where model.vocabulary != nil {
    let hidden = model.hidden
    let attention = TreeAttention(
      headCount: model.heads, headDimension: model.headDimension, scale: 1 / Float(model.headDimension).squareRoot())
    for forest in [Forest.stories, Forest.chains] {
      let parents = forest.tree.parents
      let count = parents.count
      measure("attention forward, \(model.name), \(forest.name)", .operations(4 * hidden * forest.pairCount)) {
        let queryKeyValue = randomFloats(count * 3 * hidden)
        let output = FloatBuffer(count: count * hidden)
        return Prepared {
          parents.withUnsafeBufferPointer { parents in
            guard let parents = parents.baseAddress else { return }
            attention.forward(queryKeyValue.pointer, parents: parents, nodes: 0..<count, into: output.pointer)
          }
        }
      }
      // The weights again, and four products for the gradients.
      measure("attention backward, \(model.name), \(forest.name)", .operations(10 * hidden * forest.pairCount)) {
        let queryKeyValue = randomFloats(count * 3 * hidden)
        let outputGradient = randomFloats(count * hidden)
        let gradient = FloatBuffer(count: count * 3 * hidden)
        return Prepared {
          parents.withUnsafeBufferPointer { parents in
            guard let parents = parents.baseAddress else { return }
            attention.backward(
              queryKeyValue.pointer, parents: parents, nodes: 0..<count, outputGradient: outputGradient.pointer,
              queryKeyValueGradient: gradient.pointer)
          }
        }
      }
    }
  }
}

/// Attention of an encoder over a batch of texts.
func registerBidirectionalAttention() {
  for model in modelShapes where model.vocabulary == nil {
    for (count, length) in [(64, 8), (16, 128)] {
      let pairCount = count * length * length
      measure(
        "attention forward, \(model.name), \(count) texts of \(length)", .operations(4 * model.hidden * pairCount)
      ) {
        let queryKeyValue = randomFloats(count * length * 3 * model.hidden)
        let output = FloatBuffer(count: count * length * model.hidden)
        let texts = (0..<count).map { $0 * length..<($0 + 1) * length }
        return Prepared {
          bidirectionalAttention(
            queryKeyValue.pointer, texts: texts, into: output.pointer, headCount: model.heads,
            headDimension: model.headDimension)
        }
      }
    }
  }
}
