import Checkpoints
import Kernels

/// One named tensor in a model's parameter buffer.
public struct Parameter: Sendable {
  /// Name as checkpoints spell it.
  public var name: String
  /// Shape, row-major.
  public var shape: [Int]
  /// Elements of the buffer that it takes.
  public var range: Range<Int>
}

/// The order of a model's tensors in one flat buffer.
///
/// Parameters, gradients and optimiser moments are buffers of the same layout, so that updating, clipping and saving
/// are single loops.
public struct ParameterLayout: Sendable {
  /// The tensors in order.
  public private(set) var parameters: [Parameter] = []
  /// Elements of the whole buffer.
  public private(set) var count = 0

  /// An empty layout.
  public init() {}

  /// Appends a tensor and returns where it starts.
  public mutating func append(_ name: String, _ shape: [Int]) -> Int {
    let start = count
    count += shape.reduce(1, *)
    parameters.append(Parameter(name: name, shape: shape, range: start..<count))
    return start
  }

  /// Refuses a model whose parameters alone are more than the memory that this process may use.
  ///
  /// - Throws: ``CheckpointError`` that names `file`.
  func checkMemory(file: String) throws {
    let needed = count * MemoryLayout<Float>.stride
    let memory = MemoryLimit.current
    guard needed > memory.bytes else { return }
    let owner = memory.source.map { "this container or session may use (\($0))" } ?? "this computer has"
    throw CheckpointError.unsupported(
      file: file, reason: "its parameters need \(needed >> 20) MiB of memory and \(owner) \(memory.bytes >> 20)",
      hint: "use a smaller model")
  }
}
