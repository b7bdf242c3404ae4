public import Kernels

/// What low-rank adaptation is to do: W' = W + alpha / rank * B A, with A and B trained and W frozen (Hu et al. 2021, "LoRA").
public struct LowRankSettings: Sendable, Equatable {
  /// Columns of B, rows of A.
  public var rank: Int
  /// What the product is scaled by, times the rank.
  public var alpha: Float
  /// Last parts of the names of the matrices that are adapted, such as `q_proj`; nil for all of them.
  public var targets: [String]?

  /// Settings; `alpha` is twice the rank unless given.
  public init(rank: Int, alpha: Float? = nil, targets: [String]? = nil) {
    self.rank = rank
    self.alpha = alpha ?? 2 * Float(rank)
    self.targets = targets
  }
}

/// One matrix that is adapted, as part of a product.
struct LowRankUpdate: Sendable {
  /// Where A [rank, inputSize] starts in the adapter's parameters.
  var down: Int
  /// Where B [outputCount, rank] starts.
  var up: Int
  /// The first of the product's outputs that belong to the matrix.
  var firstOutput: Int
  var outputCount: Int
}

/// The small matrices that are trained in place of a model's own.
public final class LowRankAdapter: Sendable {
  /// The settings, all targets named.
  public let settings: LowRankSettings
  /// Names (as PEFT spells them), shapes and places of the matrices A and B.
  public let layout: ParameterLayout
  /// The matrices, in the order of ``layout``.
  public let parameters: FloatBuffer
  /// The updates of each name in the model.
  let updates: [String: LowRankUpdate]

  private init(settings: LowRankSettings, layout: ParameterLayout, updates: [String: LowRankUpdate]) {
    self.settings = settings
    self.layout = layout
    self.updates = updates
    parameters = FloatBuffer(count: layout.count)
  }

  /// An adapter that changes nothing yet: A is random, B is zero, as PEFT begins.
  init(settings: LowRankSettings, parts: [(part: DecoderPlaces.Linear.Part, inputSize: Int)], seed: UInt64) {
    self.settings = settings
    var layout = ParameterLayout()
    var updates: [String: LowRankUpdate] = [:]
    var downs: [(start: Int, inputSize: Int)] = []
    for (part, inputSize) in parts {
      let name = "base_model.model.\(part.name)"
      let down = layout.append("\(name).lora_A.weight", [settings.rank, inputSize])
      let up = layout.append("\(name).lora_B.weight", [part.outputCount, settings.rank])
      updates[part.name] = LowRankUpdate(
        down: down, up: up, firstOutput: part.firstOutput, outputCount: part.outputCount)
      downs.append((down, inputSize))
    }
    self.layout = layout
    self.updates = updates
    parameters = FloatBuffer(count: layout.count)
    let random = KeyedRandom(seed: seed)
    for (index, down) in downs.enumerated() {
      let bound = 1 / Float(down.inputSize).squareRoot()
      let matrix = random.keyed(index)
      for element in 0..<settings.rank * down.inputSize {
        parameters.pointer[down.start + element] = (2 * Float(matrix.keyed(element).uniform) - 1) * bound
      }
    }
  }

  /// What the product B A is multiplied by.
  var scale: Float { settings.alpha / Float(settings.rank) }

  /// An independent copy.
  func copy() -> LowRankAdapter {
    let copy = LowRankAdapter(settings: settings, layout: layout, updates: updates)
    copy.parameters.copy(from: parameters)
    return copy
  }

  private func down(_ update: LowRankUpdate) -> Floats { Floats(parameters.pointer + update.down) }
  private func up(_ update: LowRankUpdate) -> Floats { Floats(parameters.pointer + update.up) }

  /// output += scale * (input A^T) B^T, in the update's columns.
  func apply(
    _ update: LowRankUpdate, to place: DecoderPlaces.Linear, _ input: Floats, into output: MutableFloats, rows: Int
  ) {
    let rank = settings.rank
    withScratch(rows * rank) { reduced in
      linear(input, weight: down(update), into: reduced, rows: rows, inputSize: place.inputSize, outputSize: rank)
      parallelMatrixMultiply(
        Matrix(reduced, stride: rank), Matrix(up(update), stride: rank, transposed: true),
        into: output + update.firstOutput, resultStride: place.outputSize, rows: rows, columns: update.outputCount,
        depth: rank, scale: scale, accumulates: true)
    }
  }

  /// Adds the gradients of A and B.
  func accumulateGradient(
    _ update: LowRankUpdate, of place: DecoderPlaces.Linear, _ input: Floats, outputGradient: Floats,
    into gradient: MutableFloats, rows: Int
  ) {
    let rank = settings.rank
    withScratch(2 * rows * rank) { reduced in
      linear(input, weight: down(update), into: reduced, rows: rows, inputSize: place.inputSize, outputSize: rank)
      parallelMatrixMultiply(
        Matrix(outputGradient + update.firstOutput, stride: place.outputSize, transposed: true),
        Matrix(reduced, stride: rank), into: gradient + update.up, resultStride: rank, rows: update.outputCount,
        columns: rank, depth: rows, scale: scale, accumulates: true)
      let reducedGradient = reduced + rows * rank
      reduce(update, of: place, outputGradient, into: reducedGradient, rows: rows)
      parallelMatrixMultiply(
        Matrix(reducedGradient, stride: rank, transposed: true), Matrix(input, stride: place.inputSize),
        into: gradient + update.down, resultStride: place.inputSize, rows: rank, columns: place.inputSize, depth: rows,
        accumulates: true)
    }
  }

  /// inputGradient += scale * (outputGradient B) A.
  func addInputGradient(
    _ update: LowRankUpdate, of place: DecoderPlaces.Linear, outputGradient: Floats, to inputGradient: MutableFloats,
    rows: Int
  ) {
    let rank = settings.rank
    withScratch(rows * rank) { reducedGradient in
      reduce(update, of: place, outputGradient, into: reducedGradient, rows: rows)
      parallelMatrixMultiply(
        Matrix(reducedGradient, stride: rank), Matrix(down(update), stride: place.inputSize),
        into: inputGradient, resultStride: place.inputSize, rows: rows, columns: place.inputSize, depth: rank,
        accumulates: true)
    }
  }

  /// The gradient of input A^T: scale * outputGradient B, [rows, rank].
  private func reduce(
    _ update: LowRankUpdate, of place: DecoderPlaces.Linear, _ outputGradient: Floats, into result: MutableFloats,
    rows: Int
  ) {
    parallelMatrixMultiply(
      Matrix(outputGradient + update.firstOutput, stride: place.outputSize), Matrix(up(update), stride: settings.rank),
      into: result, resultStride: settings.rank, rows: rows, columns: settings.rank, depth: update.outputCount,
      scale: scale)
  }

  /// Adds scale * B A to the matrix itself, which lies in `parameters` of the model.
  func merge(_ update: LowRankUpdate, into place: DecoderPlaces.Linear, _ parameters: MutableFloats) {
    let rank = settings.rank
    let up = Matrix(up(update), stride: rank)
    let down = Matrix(down(update), stride: place.inputSize)
    switch place.order {
    case .outputMajor:
      parallelMatrixMultiply(
        up, down, into: parameters + place.weight + update.firstOutput * place.inputSize,
        resultStride: place.inputSize, rows: update.outputCount, columns: place.inputSize, depth: rank, scale: scale,
        accumulates: true)
    case .inputMajor:
      parallelMatrixMultiply(
        Matrix(down.pointer, stride: down.stride, transposed: true),
        Matrix(up.pointer, stride: up.stride, transposed: true),
        into: parameters + place.weight + update.firstOutput, resultStride: place.outputSize, rows: place.inputSize,
        columns: update.outputCount, depth: rank, scale: scale, accumulates: true)
    }
  }
}

extension DecoderPlaces {
  /// All products of all layers.
  var linears: [Linear] { layers.flatMap { [$0.queryKeyValue, $0.output, $0.inner, $0.projection] } }

  /// The same places, with the updates of `adapter` and no others.
  func adding(_ adapter: LowRankAdapter?) -> DecoderPlaces {
    func adding(_ linear: Linear) -> Linear {
      var linear = linear
      linear.updates = linear.parts.compactMap { adapter?.updates[$0.name] }
      return linear
    }
    var places = self
    for index in places.layers.indices {
      places.layers[index].queryKeyValue = adding(places.layers[index].queryKeyValue)
      places.layers[index].output = adding(places.layers[index].output)
      places.layers[index].inner = adding(places.layers[index].inner)
      places.layers[index].projection = adding(places.layers[index].projection)
    }
    return places
  }
}
