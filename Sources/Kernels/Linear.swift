/// How the weight of a linear layer lies in memory.
public enum WeightOrder: Sendable {
  /// [outputSize, inputSize], as PyTorch's `nn.Linear` keeps it.
  case outputMajor
  /// [inputSize, outputSize], as the `Conv1D` of GPT-2 does.
  case inputMajor
}

/// output = input W^T + bias.
///
/// - Parameters:
///   - input: [rows, inputSize].
///   - weight: [outputSize, inputSize], or the transpose, as `order` says.
///   - bias: [outputSize], or nil.
///   - output: [rows, outputSize], overwritten.
public func linear(
  _ input: Floats, weight: Floats, order: WeightOrder = .outputMajor, bias: Floats? = nil,
  into output: MutableFloats, rows: Int, inputSize: Int, outputSize: Int
) {
  if let bias {
    parallel(rows, minimumChunk: 65_536 / outputSize + 1) { part in
      for row in part { (output + row * outputSize).update(from: bias, count: outputSize) }
    }
  }
  parallelMatrixMultiply(
    Matrix(input, stride: inputSize),
    order == .outputMajor
      ? Matrix(weight, stride: inputSize, transposed: true) : Matrix(weight, stride: outputSize),
    into: output, resultStride: outputSize, rows: rows, columns: outputSize, depth: inputSize, accumulates: bias != nil)
}

/// The input's gradient of ``linear(_:weight:order:bias:into:rows:inputSize:outputSize:)``: outputGradient W, overwritten or added.
///
/// - Parameters:
///   - outputGradient: [rows, outputSize].
///   - inputGradient: [rows, inputSize].
public func linearInputGradient(
  _ outputGradient: Floats, weight: Floats, order: WeightOrder = .outputMajor, into inputGradient: MutableFloats,
  rows: Int, inputSize: Int, outputSize: Int, accumulates: Bool = false
) {
  parallelMatrixMultiply(
    Matrix(outputGradient, stride: outputSize),
    order == .outputMajor
      ? Matrix(weight, stride: inputSize) : Matrix(weight, stride: outputSize, transposed: true),
    into: inputGradient, resultStride: inputSize, rows: rows, columns: inputSize, depth: outputSize,
    accumulates: accumulates)
}

/// Adds outputGradient^T input to `weightGradient`, and the column sums of `outputGradient` to `biasGradient`.
///
/// - Parameters:
///   - input: [rows, inputSize], as the forward pass had it.
///   - outputGradient: [rows, outputSize].
///   - weightGradient: [outputSize, inputSize], or the transpose, as `order` says.
///   - biasGradient: [outputSize], or nil.
public func accumulateLinearWeightGradient(
  _ input: Floats, outputGradient: Floats, weightGradient: MutableFloats, order: WeightOrder = .outputMajor,
  biasGradient: MutableFloats? = nil, rows: Int, inputSize: Int, outputSize: Int
) {
  guard rows > 0 else { return }
  switch order {
  case .outputMajor:
    parallelMatrixMultiply(
      Matrix(outputGradient, stride: outputSize, transposed: true), Matrix(input, stride: inputSize),
      into: weightGradient, resultStride: inputSize, rows: outputSize, columns: inputSize, depth: rows,
      accumulates: true)
  case .inputMajor:
    parallelMatrixMultiply(
      Matrix(input, stride: inputSize, transposed: true), Matrix(outputGradient, stride: outputSize),
      into: weightGradient, resultStride: outputSize, rows: inputSize, columns: outputSize, depth: rows,
      accumulates: true)
  }
  guard let biasGradient else { return }
  parallel(outputSize, minimumChunk: 65_536 / rows + 16) { part in
    for row in 0..<rows {
      addScaled(
        outputGradient + row * outputSize + part.lowerBound, scale: 1,
        to: biasGradient + part.lowerBound, count: part.count)
    }
  }
}
