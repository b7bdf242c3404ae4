import Checkpoints
import Kernels

/// A tensor of a checkpoint that a decoder does not need, since its configuration says the same: constants that older
/// versions of transformers saved beside the weights.
public enum CheckpointBuffer: Sendable, Equatable {
  /// The attention mask of a layer, [1, 1, n, n]: other than 0 where a token sees another.
  case mask(layer: Int)
  /// The score of a token that is not seen, a scalar.
  case maskedScore
  /// The rotary frequencies, [headDimension / 2].
  case rotaryFrequencies

  /// The buffer of a layer whose tensor's name is `prefix`, its number, and one of `suffixes`.
  static func ofLayer(
    _ tensor: String, after prefix: String, _ suffixes: [String: (Int) -> CheckpointBuffer]
  ) -> CheckpointBuffer? {
    // Base models save their tensors without the first part of the prefix.
    let bare = prefix.drop { $0 != "." }.dropFirst()
    guard let start = [prefix[...], bare].first(where: tensor.hasPrefix) else { return nil }
    let parts = tensor.dropFirst(start.count).split(separator: ".", maxSplits: 1)
    guard parts.count == 2, let layer = Int(parts[0]) else { return nil }
    return suffixes[String(parts[1])]?(layer)
  }
}

extension DecoderDescription {
  /// Whether a buffer holds what this decoder computes with; nil where the tensor has not even the shape of such a buffer.
  func agrees(_ buffer: CheckpointBuffer, _ tensor: String, of tensors: any TensorSource) throws -> Bool? {
    guard let dimensions = tensors.shape(of: tensor) else { return nil }
    switch buffer {
    case .mask(let layer):
      guard shape.attention.indices.contains(layer), dimensions.count == 4, dimensions[0] == 1, dimensions[1] == 1,
        dimensions[2] == dimensions[3]
      else { return nil }
      let values = try numbers(tensor, of: tensors)
      let (size, window) = (dimensions[3], shape.attention[layer].window)
      return values.indices.allSatisfy { index in
        let (row, column) = (index / size, index % size)
        return (values[index] != 0) == (column <= row && row - column < window)
      }
    case .maskedScore:
      guard dimensions.reduce(1, *) == 1 else { return nil }
      // Far enough below any score for its exponential to vanish.
      return try numbers(tensor, of: tensors).allSatisfy { $0 <= -1_000 }
    case .rotaryFrequencies:
      guard let rotary = shape.rotary, dimensions == [rotary.frequencies.count] else { return nil }
      let values = try numbers(tensor, of: tensors)
      // Files before rotary scaling became part of the frequencies hold them unscaled; and they may have been rounded to 16 bits.
      return [rotary.frequencies, unscaledFrequencies].contains { expected in
        zip(values, expected).allSatisfy { abs($0 - $1) <= 0x1p-7 * $1 + 0x1p-24 }
      }
    }
  }

  private func numbers(_ tensor: String, of tensors: any TensorSource) throws -> [Float] {
    let count = tensors.shape(of: tensor)?.reduce(1, *) ?? 0
    var values = [Float](repeating: 0, count: count)
    try values.withUnsafeMutableBufferPointer { try tensors.copyNumbers(of: tensor, into: $0) }
    return values
  }
}
