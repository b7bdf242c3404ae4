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

  /// Measures memory, and puts it beside the better of two measurements of the products, from before and after what they are held
  /// against: other work on the machine comes and goes.
  init(of model: any LanguageModel, products first: [Product], _ second: [Product]) {
    products = zip(first, second).map { $0.rate > $1.rate ? $0 : $1 }
    var flops = 0.0
    var seconds = 0.0
    for product in products {
      // The head is the last; a body's matrix counts as often as there is one of its shape.
      let isHead = product.shape == Self.head(of: model)
      let count = isHead ? 1 : model.linearShapes.filter { $0 == product.shape }.count
      let work = Double(count * product.shape.flops) * (product.pass == .forward ? 2 : 1)
      flops += work
      seconds += work / product.rate
    }
    productRate = flops / seconds
    let block = filled(1 << 26)
    readBandwidth =
      Double(block.count * MemoryLayout<Float>.stride)
      / bestTime { _ = sumOfSquares(block.pointer, count: block.count) }
  }

  private static func head(of model: any LanguageModel) -> LinearShape {
    LinearShape(outputSize: model.vocabularySize, inputSize: model.hiddenSize)
  }

  /// Measures the products of each distinct matrix; takes some seconds.
  static func products(of model: any LanguageModel) -> [Product] {
    let bodies = Set(model.linearShapes).subtracting([head(of: model)])
      .sorted { ($0.outputSize, $0.inputSize) < ($1.outputSize, $1.inputSize) }
      .map { (shape: $0, rows: 1_024) }
    return (bodies + [(head(of: model), model.head.chunkSize(rows: .max))]).flatMap { shape, rows in
      let input = filled(rows * shape.inputSize)
      let output = filled(rows * shape.outputSize)
      let weight = filled(shape.outputSize * shape.inputSize)
      return Pass.allCases.map { pass in
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
        return Product(shape: shape, pass: pass, rows: rows, rate: Double(rows * shape.flops) / time)
      }
    }
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
