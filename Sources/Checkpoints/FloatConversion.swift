// Conversions between 32-bit floats and the two 16-bit formats, by bit manipulation: the same on every platform
// (Swift's Float16 does not exist on Intel Macs), and free of branches, so that the loops become vector code.

/// The binary16 pattern `bits` as the binary32 pattern of the same value; NaN payloads are kept.
@inline(__always)
func float32Bits(fromFloat16 bits: UInt16) -> UInt32 {
  let pattern = UInt32(bits)
  let magnitude = pattern & 0x7fff
  let sign = (pattern & 0x8000) &<< 16
  // Re-bias the exponent from 15 to 127; twice as far for infinity and NaN, whose exponent must become 255.
  let normal = (magnitude &<< 13) &+ (magnitude >= 0x7c00 ? 224 &<< 23 : 112 &<< 23)
  // A subnormal is its fraction times 2^-24, exactly; going through integers keeps flush-to-zero modes out of it.
  let subnormal = (Float(Int32(truncatingIfNeeded: magnitude)) * 0x1p-24).bitPattern
  return sign | (magnitude < 0x0400 ? subnormal : normal)
}

/// The bfloat16 pattern `bits` as the binary32 pattern of the same value.
@inline(__always)
func float32Bits(fromBFloat16 bits: UInt16) -> UInt32 { UInt32(bits) &<< 16 }

/// The magnitude bits of the smallest float that rounds to infinity as binary16: 65520.
let float16OverflowBits: UInt32 = 0x477f_f000
/// The magnitude bits of the smallest float that rounds to infinity as bfloat16.
let bfloat16OverflowBits: UInt32 = 0x7f7f_8000

/// A float below the overflow bound, given by its bits, as binary16, rounded to nearest, ties to even.
@inline(__always)
func float16Bits(fromFloat32 bits: UInt32) -> UInt16 {
  let magnitude = bits & 0x7fff_ffff
  // Adding 0.5, whose last bit is worth 2^-24, lets the processor round to a multiple of binary16's smallest step.
  let subnormal = (Float(bitPattern: magnitude) + 0.5).bitPattern &- (0.5 as Float).bitPattern
  let rounded = magnitude &+ 0x0fff &+ ((magnitude &>> 13) & 1)
  let normal = (rounded &- (112 &<< 23)) &>> 13
  let result = magnitude < 0x3880_0000 ? subnormal : normal
  return UInt16(truncatingIfNeeded: result | ((bits &>> 16) & 0x8000))
}

/// A float below the overflow bound, given by its bits, as bfloat16, rounded to nearest, ties to even.
@inline(__always)
func bfloat16Bits(fromFloat32 bits: UInt32) -> UInt16 {
  UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ ((bits &>> 16) & 1)) &>> 16)
}

/// Converts `count` floats, all below the overflow bound of `type`, to a 16-bit type.
func convert(
  _ source: UnsafePointer<Float>, to type: ElementType, into destination: UnsafeMutablePointer<UInt16>, count: Int
) {
  if type == .float16 {
    for index in 0..<count { destination[index] = float16Bits(fromFloat32: source[index].bitPattern) }
  } else {
    for index in 0..<count { destination[index] = bfloat16Bits(fromFloat32: source[index].bitPattern) }
  }
}

/// The index of the first number whose magnitude has at least the bits `bound` (which is positive); nil if none has.
func firstIndex(_ values: UnsafeBufferPointer<Float>, magnitudeBitsAtLeast bound: UInt32) -> Int? {
  guard let start = values.baseAddress else { return nil }
  var blockStart = 0
  while blockStart < values.count {
    let blockEnd = min(blockStart + 4096, values.count)
    // The magnitudes fit 31 bits, so a sum's top bit tells whether the bound was reached.
    let lift = 0x8000_0000 - bound
    var reached: UInt32 = 0
    for index in blockStart..<blockEnd { reached |= (start[index].bitPattern & 0x7fff_ffff) &+ lift }
    if reached & 0x8000_0000 != 0 {
      for index in blockStart..<blockEnd where start[index].bitPattern & 0x7fff_ffff >= bound { return index }
    }
    blockStart = blockEnd
  }
  return nil
}

/// The index of the first NaN or infinity, or nil when all numbers are finite; runs at memory speed.
package func firstNonFiniteIndex(in values: UnsafeBufferPointer<Float>) -> Int? {
  firstIndex(values, magnitudeBitsAtLeast: 0x7f80_0000)
}
