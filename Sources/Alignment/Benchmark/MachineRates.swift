import Kernels
public import Transformers

/// What this machine can do at a model's shapes, measured: the ground that a step's time is held against.
public struct MachineRates: Sendable {
  /// The three products of a layer's matrix.
  public enum Pass: String, Sendable, CaseIterable {
    /// Output from input.
    case forward
    /// The input's gradient from the output's.
    case inputGradient = "input_gradient"
    /// The matrix's gradient from both.
    case weightGradient = "weight_gradient"
  }

  /// One kind of product.
  public struct Product: Sendable {
    /// The matrix.
    public var shape: LinearShape
    /// Which of its products.
    public var pass: Pass
    /// Tokens in the product.
    public var rows: Int
    /// FLOPs a second, on all threads.
    public var rate: Double
  }

  /// The products of each distinct matrix, the head's last.
  public let products: [Product]
  /// FLOPs a second over all products of a training step: each at its own rate, a forward product twice (policy and
  /// reference), a gradient once.
  public let productRate: Double
  /// Bytes a second that all threads together read from memory.
  public let readBandwidth: Double

  /// Measures; takes some seconds.
  public init(of model: any LanguageModel) {
    let head = LinearShape(outputSize: model.vocabularySize, inputSize: model.hiddenSize)
    var counts: [LinearShape: Int] = [:]
    for shape in model.linearShapes { counts[shape, default: 0] += 1 }
    var products: [Product] = []
    var flops = 0.0
    var seconds = 0.0
    let shapes = counts.sorted { ($0.key.outputSize, $0.key.inputSize) < ($1.key.outputSize, $1.key.inputSize) }
    for (shape, count, rows) in shapes.map({ ($0.key, $0.value, 1_024) }) + [
      (head, 1, model.head.chunkSize(rows: .max))
    ] {
      let input = filled(rows * shape.inputSize)
      let output = filled(rows * shape.outputSize)
      let weight = filled(shape.outputSize * shape.inputSize)
      for pass in Pass.allCases {
        let time = bestTime {
          switch pass {
          case .forward:
            linear(
              input.pointer, weight: weight.pointer, into: output.pointer,
              rows: rows, inputSize: shape.inputSize, outputSize: shape.outputSize)
          case .inputGradient:
            linearInputGradient(
              output.pointer, weight: weight.pointer, into: input.pointer,
              rows: rows, inputSize: shape.inputSize, outputSize: shape.outputSize)
          case .weightGradient:
            accumulateLinearWeightGradient(
              input.pointer, outputGradient: output.pointer, weightGradient: weight.pointer,
              rows: rows, inputSize: shape.inputSize, outputSize: shape.outputSize)
          }
        }
        let work = Double(rows) * Double(shape.flops)
        products.append(Product(shape: shape, pass: pass, rows: rows, rate: work / time))
        let weight = Double(count) * (pass == .forward ? 2 : 1)
        flops += weight * Double(shape.flops)
        seconds += weight * Double(shape.flops) * time / work
      }
    }
    self.products = products
    productRate = flops / seconds
    let block = filled(1 << 26)
    readBandwidth =
      Double(block.count * MemoryLayout<Float>.stride)
      / bestTime { _ = sumOfSquares(block.pointer, count: block.count) }
  }
}

/// Ordinary numbers: zeros and denormals would be a different speed.
private func filled(_ count: Int) -> FloatBuffer {
  let buffer = FloatBuffer(count: count, isZeroed: false)
  for index in 0..<count { buffer.pointer[index] = Float(index % 251 - 125) / 250 }
  return buffer
}

/// The shortest of the runs that fit into a third of a second, three at least, in seconds.
private func bestTime(_ body: () -> Void) -> Double {
  let clock = ContinuousClock()
  body()
  var best = Double.infinity
  var total = 0.0
  var runs = 0
  while runs < 3 || total < 0.33 {
    let start = clock.now
    body()
    let time = (clock.now - start) / .seconds(1)
    best = min(best, time)
    total += time
    runs += 1
  }
  return best
}
