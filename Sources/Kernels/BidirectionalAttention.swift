/// Attention without a mask among the tokens of each text, as BERT has it.
///
/// - Parameters:
///   - queryKeyValue: [rows, 3 hiddenSize]: query, key and value of each token, heads side by side.
///   - texts: the rows of each text.
///   - output: [rows, hiddenSize], overwritten.
public func bidirectionalAttention(
  _ queryKeyValue: Floats, texts: [Range<Int>], into output: MutableFloats, headCount: Int, headDimension: Int
) {
  let hiddenSize = headCount * headDimension
  let stride = 3 * hiddenSize
  let longest = texts.map(\.count).max() ?? 0
  parallel(headCount) { heads in
    withScratch(longest * longest) { weights in
      for text in texts {
        for head in heads {
          let rows = queryKeyValue + text.lowerBound * stride + head * headDimension
          matrixMultiply(
            Matrix(rows, stride: stride), Matrix(rows + hiddenSize, stride: stride, transposed: true),
            into: weights, resultStride: text.count, rows: text.count, columns: text.count, depth: headDimension,
            scale: 1 / Float(headDimension).squareRoot())
          for row in 0..<text.count { softmaxInPlace(weights + row * text.count, count: text.count) }
          matrixMultiply(
            Matrix(weights, stride: text.count), Matrix(rows + 2 * hiddenSize, stride: stride),
            into: output + text.lowerBound * hiddenSize + head * headDimension, resultStride: hiddenSize,
            rows: text.count, columns: headDimension, depth: text.count)
        }
      }
    }
  }
}
