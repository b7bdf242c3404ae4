import TinyAlign

/// Layer normalisation, forward and backward.
func registerLayerNorms() {
  for model in modelShapes {
    let size = model.hidden
    for rows in model.forwardRows {
      measure("layer norm forward, \(model.name), \(rowCount(rows))", .floats(2 * rows * size)) {
        let operands = LayerNormOperands(rows: rows, size: size)
        let output = FloatBuffer(count: rows * size)
        return Prepared { operands.forward(into: output) }
      }
    }
    for rows in model.backwardRows {
      // Input and output gradient are read, the input's gradient is added to.
      measure("layer norm backward, \(model.name), \(rowCount(rows))", .floats(4 * rows * size)) {
        let operands = LayerNormOperands(rows: rows, size: size)
        operands.forward(into: FloatBuffer(count: rows * size))
        let outputGradient = randomFloats(rows * size)
        let inputGradient = FloatBuffer(count: rows * size)
        let weightGradient = FloatBuffer(count: size)
        let biasGradient = FloatBuffer(count: size)
        return Prepared {
          layerNormBackward(
            operands.input.pointer, weight: operands.weight.pointer, means: operands.means.pointer,
            inverseDeviations: operands.inverseDeviations.pointer, outputGradient: outputGradient.pointer,
            inputGradient: inputGradient.pointer, weightGradient: weightGradient.pointer,
            biasGradient: biasGradient.pointer, rows: rows, size: size)
        }
      }
    }
  }
}

private struct LayerNormOperands {
  let rows: Int
  let size: Int
  let input: FloatBuffer
  let weight: FloatBuffer
  let bias: FloatBuffer
  let means: FloatBuffer
  let inverseDeviations: FloatBuffer

  init(rows: Int, size: Int) {
    self.rows = rows
    self.size = size
    input = randomFloats(rows * size)
    weight = randomFloats(size)
    bias = randomFloats(size)
    means = FloatBuffer(count: rows)
    inverseDeviations = FloatBuffer(count: rows)
  }

  func forward(into output: FloatBuffer) {
    layerNorm(
      input.pointer, weight: weight.pointer, bias: bias.pointer, epsilon: 1e-5, into: output.pointer,
      means: means.pointer, inverseDeviations: inverseDeviations.pointer, rows: rows, size: size)
  }
}

/// GELU: by tanh, forward and backward, in language models; exact in encoders.
func registerGELUs() {
  for model in modelShapes where model.vocabulary != nil {
    for rows in model.forwardRows {
      let count = rows * model.inner
      measure("GELU forward, \(model.name), \(rowCount(rows))", .floats(2 * count)) {
        let input = randomFloats(count, scale: 4)
        let output = FloatBuffer(count: count)
        return Prepared { geluTanh(input.pointer, into: output.pointer, count: count) }
      }
    }
    for rows in model.backwardRows {
      let count = rows * model.inner
      measure("GELU backward, \(model.name), \(rowCount(rows))", .floats(3 * count)) {
        let input = randomFloats(count, scale: 4)
        let outputGradient = randomFloats(count)
        let gradient = FloatBuffer(count: count)
        // In place: again and again it would end in denormal numbers.
        return Prepared {
          gradient.copy(from: outputGradient)
        } call: {
          geluTanhBackward(input.pointer, gradient: gradient.pointer, count: count)
        }
      }
    }
  }
  for model in modelShapes where model.vocabulary == nil {
    for rows in model.forwardRows {
      let count = rows * model.inner
      measure("exact GELU forward, \(model.name), \(rowCount(rows))", .floats(2 * count)) {
        let input = randomFloats(count, scale: 4)
        let values = FloatBuffer(count: count)
        return Prepared {
          values.copy(from: input)
        } call: {
          geluExact(values.pointer, count: count)
        }
      }
    }
  }
}
