import TinyAlign

/// The linear layers of a feed-forward network, forward and backward, on all threads.
func registerLinearLayers() {
  for model in modelShapes {
    for layer in model.layers {
      let (inputSize, outputSize) = (layer.inputSize, layer.outputSize)
      for rows in model.forwardRows {
        let work = Work.operations(layer.operations(rows: rows))
        measure("linear forward, \(layer.name), \(rowCount(rows))", work) {
          let operands = LinearOperands(layer, rows: rows)
          return Prepared {
            linear(
              operands.input.pointer, weight: operands.weight.pointer, bias: operands.bias.pointer,
              into: operands.output.pointer, rows: rows, inputSize: inputSize, outputSize: outputSize)
          }
        }
      }
      for rows in model.backwardRows {
        let work = Work.operations(layer.operations(rows: rows))
        measure("linear input gradient, \(layer.name), \(rowCount(rows))", work) {
          let operands = LinearOperands(layer, rows: rows)
          return Prepared {
            linearInputGradient(
              operands.output.pointer, weight: operands.weight.pointer, into: operands.input.pointer,
              rows: rows, inputSize: inputSize, outputSize: outputSize)
          }
        }
        measure("linear weight gradient, \(layer.name), \(rowCount(rows))", work) {
          let operands = LinearOperands(layer, rows: rows)
          return Prepared {
            accumulateLinearWeightGradient(
              operands.input.pointer, outputGradient: operands.output.pointer,
              weightGradient: operands.weight.pointer, biasGradient: operands.bias.pointer,
              rows: rows, inputSize: inputSize, outputSize: outputSize)
          }
        }
      }
    }
  }
}

/// The products behind linear layers, on one thread, by each set of instructions that the processor has.
func registerProducts() {
  for instructions in InstructionSet.available {
    for model in modelShapes {
      let layer = LinearShape(name: model.name, inputSize: model.hidden, outputSize: model.inner)
      for rows in model.forwardRows.filter({ $0 == 1 || $0 == 512 }) {
        registerProduct(.forward, layer, rows: rows, instructions)
      }
      for rows in model.backwardRows.filter({ $0 == 512 }) {
        registerProduct(.inputGradient, layer, rows: rows, instructions)
        registerProduct(.weightGradient, layer, rows: rows, instructions)
      }
    }
  }
}

/// Which of its operands a product takes transposed, by where it occurs in a linear layer.
private enum Product: String {
  /// input weight^T.
  case forward
  /// outputGradient weight.
  case inputGradient = "input gradient"
  /// outputGradient^T input.
  case weightGradient = "weight gradient"
}

private func registerProduct(_ product: Product, _ layer: LinearShape, rows: Int, _ instructions: InstructionSet) {
  #if canImport(Accelerate)
    let library = "Accelerate"
  #else
    let library = instructions.description
  #endif
  let (inputSize, outputSize) = (layer.inputSize, layer.outputSize)
  let name = "product \(product.rawValue), \(layer.name) up, \(rowCount(rows)), \(library)"
  measure(name, .operations(layer.operations(rows: rows))) {
    let operands = LinearOperands(layer, rows: rows)
    let (input, weight, output) = (operands.input, operands.weight, operands.output)
    switch product {
    case .forward:
      return Prepared {
        matrixMultiply(
          Matrix(input.pointer, stride: inputSize), Matrix(weight.pointer, stride: inputSize, transposed: true),
          into: output.pointer, resultStride: outputSize, rows: rows, columns: outputSize, depth: inputSize,
          instructions: instructions)
      }
    case .inputGradient:
      return Prepared {
        matrixMultiply(
          Matrix(output.pointer, stride: outputSize), Matrix(weight.pointer, stride: inputSize),
          into: input.pointer, resultStride: inputSize, rows: rows, columns: inputSize, depth: outputSize,
          instructions: instructions)
      }
    case .weightGradient:
      return Prepared {
        matrixMultiply(
          Matrix(output.pointer, stride: outputSize, transposed: true), Matrix(input.pointer, stride: inputSize),
          into: weight.pointer, resultStride: inputSize, rows: outputSize, columns: inputSize, depth: rows,
          accumulates: true, instructions: instructions)
      }
    }
  }
}

/// The arrays of a linear layer; a gradient takes the place of what it belongs to.
private struct LinearOperands {
  /// [rows, inputSize].
  let input: FloatBuffer
  /// [outputSize, inputSize].
  let weight: FloatBuffer
  /// [outputSize].
  let bias: FloatBuffer
  /// [rows, outputSize].
  let output: FloatBuffer

  init(_ layer: LinearShape, rows: Int) {
    input = randomFloats(rows * layer.inputSize)
    weight = randomFloats(layer.outputSize * layer.inputSize, scale: 0.05)
    bias = randomFloats(layer.outputSize)
    output = randomFloats(rows * layer.outputSize)
  }
}
