import Kernels

/// The memory that one pack of texts takes on its way through a BERT encoder.
final class BERTWorkspace {
  private let buffer: FloatBuffer
  private let indices: UnsafeMutablePointer<Int32>
  /// [rows, hiddenSize]: the hidden states.
  let hidden: MutableFloats
  /// [rows, hiddenSize]: what attention gathers.
  let context: MutableFloats
  /// [rows, hiddenSize]: what is added to the hidden states.
  let update: MutableFloats
  /// [rows, 3 hiddenSize] for query, key and value, then [rows, intermediateSize].
  let wide: MutableFloats
  /// [rows]: token ids.
  let ids: UnsafeMutablePointer<Int32>
  /// [rows]: each token's place in its text.
  let positions: UnsafeMutablePointer<Int32>

  /// Memory for `rows` tokens.
  init(rows: Int, configuration: BERTConfiguration) {
    let size = configuration.hiddenSize
    let wideSize = max(3 * size, configuration.intermediateSize)
    buffer = FloatBuffer(count: rows * (3 * size + wideSize), isZeroed: false)
    hidden = buffer.pointer
    context = hidden + rows * size
    update = context + rows * size
    wide = update + rows * size
    indices = .allocate(capacity: max(1, 2 * rows))
    ids = indices
    positions = indices + rows
  }

  deinit { indices.deallocate() }

  /// Lays out texts whose ids are known to fit, one after the other; returns the rows of each.
  func fill(_ texts: ArraySlice<[Int]>) -> [Range<Int>] {
    var row = 0
    return texts.map { text in
      let start = row
      for (position, id) in text.enumerated() {
        ids[row] = Int32(id)
        positions[row] = Int32(position)
        row += 1
      }
      return start..<row
    }
  }
}
