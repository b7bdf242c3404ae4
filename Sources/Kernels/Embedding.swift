/// output[row] = table[ids[row]], or output[row] += …  where `accumulates`.
///
/// - Parameters:
///   - table: [entries, size].
///   - ids: [rows]; each must lie in the table, which the caller has checked.
///   - output: [rows, size].
public func embedding(
  _ table: Floats, ids: UnsafePointer<Int32>, into output: MutableFloats, rows: Int, size: Int,
  accumulates: Bool = false
) {
  parallel(rows, minimumChunk: 16_384 / size + 1) { part in
    for row in part {
      let source = table + Int(ids[row]) * size
      if accumulates {
        addScaled(source, scale: 1, to: output + row * size, count: size)
      } else {
        (output + row * size).update(from: source, count: size)
      }
    }
  }
}

/// tableGradient[ids[row]] += outputGradient[row], in the order of the rows.
///
/// - Parameters:
///   - outputGradient: [rows, size].
///   - tableGradient: [entries, size].
public func embeddingBackward(
  _ outputGradient: Floats, ids: UnsafePointer<Int32>, tableGradient: MutableFloats, rows: Int, size: Int
) {
  // Split by columns: several rows may add to the same entry.
  parallel(size, minimumChunk: 65_536 / max(1, rows) + 16) { part in
    for row in 0..<rows {
      addScaled(
        outputGradient + row * size + part.lowerBound, scale: 1,
        to: tableGradient + Int(ids[row]) * size + part.lowerBound, count: part.count)
    }
  }
}
