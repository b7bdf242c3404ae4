import Foundation

/// Rotary position embedding (Su et al. 2021): pairs of a head's elements are turned by angles that grow with the position.
///
/// Element i of a head is paired with element i + headDimension / 2, as in transformers' Llama.
public struct RotaryEmbedding: Sendable, Equatable {
  /// Angle of each pair for one step of the position, [headDimension / 2].
  public let frequencies: [Float]

  /// Turns by `frequencies[i]` radians for pair i and each step of the position.
  public init(frequencies: [Float]) { self.frequencies = frequencies }

  /// Frequencies `base ^ (-2 i / headDimension)`, computed in single precision as transformers does.
  public init(headDimension: Int, base: Float) {
    precondition(headDimension > 0 && headDimension % 2 == 0, "a head of \(headDimension) elements has no pairs")
    self.init(
      frequencies: stride(from: 0, to: headDimension, by: 2).map { 1 / powf(base, Float($0) / Float(headDimension)) })
  }

  /// Elements of a head.
  public var headDimension: Int { 2 * frequencies.count }

  /// Cosines and sines of `positions`: for each, headDimension / 2 cosines, then as many sines.
  ///
  /// - Parameters:
  ///   - positions: [rows].
  ///   - table: [rows, headDimension], overwritten.
  public func fill(_ table: MutableFloats, positions: UnsafePointer<Int32>, rows: Int) {
    let half = frequencies.count
    parallel(rows, minimumChunk: 2_048 / half + 1) { part in
      for row in part {
        let entry = table + row * 2 * half
        for (index, frequency) in frequencies.enumerated() {
          // The angle rounded to single precision, as in the reference; its cosine exactly.
          let angle = Double(Float(positions[row]) * frequency)
          entry[index] = Float(cos(angle))
          entry[half + index] = Float(sin(angle))
        }
      }
    }
  }

  /// Turns the heads of each row in place.
  ///
  /// - Parameters:
  ///   - rows: the first row's first head; heads lie side by side.
  ///   - stride: elements from one row to the next.
  ///   - table: [rowCount, headDimension] of ``fill(_:positions:rows:)``.
  ///   - isInverse: turns back, which is the backward pass too.
  public func rotate(
    _ rows: MutableFloats, stride: Int, headCount: Int, table: Floats, rowCount: Int, isInverse: Bool = false
  ) {
    let half = frequencies.count
    let sign: Float = isInverse ? -1 : 1
    parallel(rowCount, minimumChunk: 8_192 / (headCount * headDimension) + 1) { part in
      for row in part {
        let cosines = table + row * 2 * half
        let sines = cosines + half
        for head in 0..<headCount {
          let first = rows + row * stride + head * 2 * half
          let second = first + half
          forEachVector(half) { i in
            let (a, b) = (load(first + i), load(second + i))
            let (c, s) = (load(cosines + i), load(sines + i) * sign)
            store(a * c - b * s, first + i)
            store(b * c + a * s, second + i)
          } tail: { i, left in
            for lane in i..<i + left {
              let (a, b) = (first[lane], second[lane])
              let (c, s) = (cosines[lane], sines[lane] * sign)
              first[lane] = a * c - b * s
              second[lane] = b * c + a * s
            }
          }
        }
      }
    }
  }
}
