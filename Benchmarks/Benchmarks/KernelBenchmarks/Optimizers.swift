import TinyAlign

/// One update of all parameters of each language model.
func registerOptimizers() {
  for shape in headShapes {
    let count = shape.parameters
    // Four arrays are read, three of them written.
    measure("AdamW, \(shape.name), \(count) parameters", .floats(7 * count)) {
      let parameters = randomFloats(count)
      let gradients = randomFloats(count, scale: 1e-3)
      let firstMoments = FloatBuffer(count: count)
      let secondMoments = FloatBuffer(count: count)
      let step = AdamWStep(
        learningRate: 1e-5, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01, bias1: 0.5, bias2: 0.5,
        gradientScale: 1)
      return Prepared {
        adamW(
          parameters.pointer, gradients: gradients.pointer, firstMoments: firstMoments.pointer,
          secondMoments: secondMoments.pointer, count: count, step: step)
      }
    }
  }
}
