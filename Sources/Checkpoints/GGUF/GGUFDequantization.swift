// Blocks of quantised numbers as floats, with the operations in the order of ggml and of gguf-py's `dequantize`, so
// that the results have the same bits. Layouts: ggml-common.h and ggml-quants.c of https://github.com/ggml-org/ggml.

/// Converts `blocks` blocks of a readable type; nothing needs to be aligned.
func dequantize(
  _ type: GGUFTensorType, _ source: UnsafeRawPointer, blocks: Int, into destination: UnsafeMutablePointer<Float>
) {
  switch type {
  case .f32: convert(.float32, from: source, to: destination, count: blocks)
  case .f16: convert(.float16, from: source, to: destination, count: blocks)
  case .bf16: convert(.bfloat16, from: source, to: destination, count: blocks)
  case .f64:
    for index in 0..<blocks {
      let bits = source.loadUnaligned(fromByteOffset: index &* 8, as: UInt64.self)
      destination[index] = Float(Double(bitPattern: bits))
    }
  case .q4x0: forEachBlock(type, source, blocks, destination, q4x0)
  case .q4x1: forEachBlock(type, source, blocks, destination, q4x1)
  case .q5x0: forEachBlock(type, source, blocks, destination, q5x0)
  case .q5x1: forEachBlock(type, source, blocks, destination, q5x1)
  case .q8x0: forEachBlock(type, source, blocks, destination, q8x0)
  case .q2K: forEachBlock(type, source, blocks, destination, q2K)
  case .q3K: forEachBlock(type, source, blocks, destination, q3K)
  case .q4K: forEachBlock(type, source, blocks, destination, q4K)
  case .q5K: forEachBlock(type, source, blocks, destination, q5K)
  case .q6K: forEachBlock(type, source, blocks, destination, q6K)
  default: preconditionFailure("\(type.name) is not a type that is read")
  }
}

@inline(__always)
private func forEachBlock(
  _ type: GGUFTensorType, _ source: UnsafeRawPointer, _ blocks: Int, _ destination: UnsafeMutablePointer<Float>,
  _ body: (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void
) {
  let (bytes, elements) = (type.blockBytes, type.blockElements)
  for block in 0..<blocks { body(source + block &* bytes, destination + block &* elements) }
}

/// The binary16 at a byte offset.
@inline(__always)
func half(_ source: UnsafeRawPointer, _ offset: Int) -> Float {
  Float(bitPattern: float32Bits(fromFloat16: source.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
}

/// The byte at an offset, as a number that arithmetic cannot overflow.
@inline(__always)
func byte(_ source: UnsafeRawPointer, _ offset: Int) -> Int32 {
  Int32(truncatingIfNeeded: source.load(fromByteOffset: offset, as: UInt8.self))
}

/// The signed byte at an offset.
@inline(__always)
func signedByte(_ source: UnsafeRawPointer, _ offset: Int) -> Int32 {
  Int32(truncatingIfNeeded: source.load(fromByteOffset: offset, as: Int8.self))
}

/// A scale, then 16 bytes whose low halves are the first 16 elements.
@inline(__always)
private func q4x0(_ source: UnsafeRawPointer, _ y: UnsafeMutablePointer<Float>) {
  let scale = half(source, 0)
  for i in 0..<16 {
    let pair = byte(source, 2 &+ i)
    y[i] = scale * Float((pair & 15) &- 8)
    y[i &+ 16] = scale * Float((pair &>> 4) &- 8)
  }
}

/// The same with a minimum after the scale, and without a sign.
@inline(__always)
private func q4x1(_ source: UnsafeRawPointer, _ y: UnsafeMutablePointer<Float>) {
  let (scale, minimum) = (half(source, 0), half(source, 2))
  for i in 0..<16 {
    let pair = byte(source, 4 &+ i)
    y[i] = scale * Float(pair & 15) + minimum
    y[i &+ 16] = scale * Float(pair &>> 4) + minimum
  }
}

/// A scale, the fifth bits of the 32 elements, then their low halves.
@inline(__always)
private func q5x0(_ source: UnsafeRawPointer, _ y: UnsafeMutablePointer<Float>) {
  let scale = half(source, 0)
  let high = source.loadUnaligned(fromByteOffset: 2, as: Int32.self)
  for i in 0..<16 {
    let pair = byte(source, 6 &+ i)
    let shift = Int32(truncatingIfNeeded: i)
    y[i] = scale * Float((pair & 15 | ((high &>> shift) & 1) &<< 4) &- 16)
    y[i &+ 16] = scale * Float((pair &>> 4 | ((high &>> (shift &+ 16)) & 1) &<< 4) &- 16)
  }
}

/// The same with a minimum after the scale, and without a sign.
@inline(__always)
private func q5x1(_ source: UnsafeRawPointer, _ y: UnsafeMutablePointer<Float>) {
  let (scale, minimum) = (half(source, 0), half(source, 2))
  let high = source.loadUnaligned(fromByteOffset: 4, as: Int32.self)
  for i in 0..<16 {
    let pair = byte(source, 8 &+ i)
    let shift = Int32(truncatingIfNeeded: i)
    y[i] = scale * Float(pair & 15 | ((high &>> shift) & 1) &<< 4) + minimum
    y[i &+ 16] = scale * Float(pair &>> 4 | ((high &>> (shift &+ 16)) & 1) &<< 4) + minimum
  }
}

/// A scale, then 32 signed bytes.
@inline(__always)
private func q8x0(_ source: UnsafeRawPointer, _ y: UnsafeMutablePointer<Float>) {
  let scale = half(source, 0)
  for i in 0..<32 { y[i] = Float(signedByte(source, 2 &+ i)) * scale }
}
