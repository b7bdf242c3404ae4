public import Kernels

/// What a model remembers of the nodes of a tree: keys and values for their descendants, and what the backward pass needs.
///
/// Row r of each buffer belongs to node r. Memory is taken for `capacity` nodes, but used only as nodes are computed.
public final class Activations: Sendable {
  /// The most nodes that fit.
  public let capacity: Int
  /// Whether a backward pass can follow.
  public let keepsForBackward: Bool
  /// [capacity, hiddenSize]: what the head reads.
  public let hidden: FloatBuffer
  /// For each layer the buffers that the architecture asked for, in its order.
  let layers: [[FloatBuffer]]
  /// Buffers that belong to no layer.
  let shared: [FloatBuffer]

  /// Memory for `capacity` nodes.
  ///
  /// - Parameters:
  ///   - persistentSizes: floats a node and layer needs for its descendants to be computed.
  ///   - backwardSizes: floats a node and layer needs for the backward pass only; without one, layers share them.
  ///   - sharedSizes: floats a node needs once.
  init(
    capacity: Int, layerCount: Int, hiddenSize: Int, persistentSizes: [Int], backwardSizes: [Int], sharedSizes: [Int],
    keepsForBackward: Bool
  ) {
    self.capacity = capacity
    self.keepsForBackward = keepsForBackward
    func buffer(_ size: Int) -> FloatBuffer { FloatBuffer(count: capacity * size, isZeroed: false) }
    hidden = buffer(hiddenSize)
    shared = sharedSizes.map(buffer)
    let transient = keepsForBackward ? [] : backwardSizes.map(buffer)
    layers = (0..<layerCount).map { _ in
      persistentSizes.map(buffer) + (keepsForBackward ? backwardSizes.map(buffer) : transient)
    }
  }

  /// Floats that all nodes take together.
  public var floatCount: Int {
    let buffers = [hidden] + shared + layers.joined()
    var seen: Set<ObjectIdentifier> = []
    return buffers.reduce(0) { seen.insert(ObjectIdentifier($1)).inserted ? $0 + $1.count : $0 }
  }
}
