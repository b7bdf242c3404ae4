/// Converts `count` floats, a whole number of blocks, to one of the types that are written; the result has
/// `count / blockElements * blockBytes` bytes.
///
/// The numbers must be finite and below ``overflowBits(of:)``.
func quantize(
  _ source: UnsafePointer<Float>, count: Int, to type: GGUFTensorType, into destination: UnsafeMutableRawPointer
) {
  switch type {
  case .f32: destination.copyMemory(from: source, byteCount: count * 4)
  case .f16, .bf16:
    let elements = destination.bindMemory(to: UInt16.self, capacity: count)
    convert(source, to: type == .f16 ? .float16 : .bfloat16, into: elements, count: count)
  case .q8x0:
    for block in 0..<count / 32 { quantizeQ8x0(source + block * 32, into: destination + block * 34) }
  default: preconditionFailure("\(type.name) is not a type that is written")
  }
}

/// The magnitude bits of the smallest float that does not fit a type; nil where all do.
func overflowBits(of type: GGUFTensorType) -> UInt32? {
  switch type {
  case .f16: float16OverflowBits
  case .bf16: bfloat16OverflowBits
  // A block's scale is its largest magnitude over 127, as binary16.
  case .q8x0: (Float(bitPattern: float16OverflowBits) * 127).bitPattern
  default: nil
  }
}

/// A scale and 32 signed bytes, rounded to nearest, ties away from zero: `quantize_row_q8_0_ref` of ggml, bit for bit.
private func quantizeQ8x0(_ source: UnsafePointer<Float>, into destination: UnsafeMutableRawPointer) {
  var largest: Float = 0
  for i in 0..<32 { largest = max(largest, abs(source[i])) }
  let scale = largest / 127
  destination.storeBytes(of: float16Bits(fromFloat32: scale.bitPattern).littleEndian, as: UInt16.self)
  // Where the reciprocal is not finite, the scale is 0 as binary16.
  let reciprocal = scale == 0 ? 0 : 1 / scale
  let factor = reciprocal.isFinite ? reciprocal : 0
  for i in 0..<32 {
    let value = (source[i] * factor).rounded(.toNearestOrAwayFromZero)
    destination.storeBytes(of: Int8(max(-127, min(127, value))), toByteOffset: 2 + i, as: Int8.self)
  }
}
