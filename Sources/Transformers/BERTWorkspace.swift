import Kernels

/// The memory that one pack of texts takes on its way through a BERT encoder.
final class BERTWorkspace {
  private let buffer: FloatBuffer
  private let indices: UnsafeMutablePointer<Int32>
  /// [rows, hiddenSize]: the hidden states.
  let hidden: MutableFloats
  /// [rows, hiddenSize]: what attention gathers.
  let context: MutableFloats
  /// [rows, 3 hiddenSize] for query, key and value, then [rows, intermediateSize].
  let wide: MutableFloats
  /// [rows]: token ids.
  let ids: UnsafeMutablePointer<Int32>
  /// [rows]: each token's place in its text.
  let positions: UnsafeMutablePointer<Int32>
  /// The number of rows in use.
  private(set) var rows = 0

  /// Memory for `capacity` tokens.
  init(capacity: Int, configuration: BERTConfiguration) {
    let size = configuration.hiddenSize
    let wideSize = max(3 * size, configuration.intermediateSize)
    buffer = FloatBuffer(count: capacity * (2 * size + wideSize), isZeroed: false)
    hidden = buffer.pointer
    context = hidden + capacity * size
    wide = context + capacity * size
    indices = .allocate(capacity: max(1, 2 * capacity))
    ids = indices
    positions = indices + capacity
  }

  deinit { indices.deallocate() }

  /// Lays out texts whose ids are known to fit, one after the other; returns the rows of each.
  func fill(_ texts: ArraySlice<[Int]>) -> [Range<Int>] {
    rows = 0
    return texts.map { text in
      let start = rows
      for (position, id) in text.enumerated() {
        ids[rows] = Int32(id)
        positions[rows] = Int32(position)
        rows += 1
      }
      return start..<rows
    }
  }
}
