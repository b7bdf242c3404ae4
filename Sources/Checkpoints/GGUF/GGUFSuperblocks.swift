// The K-quants: superblocks of 256 elements, with small scales for 16 or 32 of them at a time.

/// 16 bytes of scale and minimum (4 bits each), 64 bytes of 2-bit elements, the scale of scales and that of minima.
@inline(__always)
func q2K(_ source: UnsafeRawPointer, _ y: UnsafeMutablePointer<Float>) {
  let (scale, minimum) = (half(source, 80), half(source, 82))
  for group in 0..<16 {
    let packed = byte(source, group)
    let (groupScale, groupMinimum) = (scale * Float(packed & 15), minimum * Float(packed &>> 4))
    // 32 bytes hold 128 elements: the lowest bits of all of them first.
    let place = 16 &+ (group &>> 3) &* 32 &+ (group & 1) &* 16
    let shift = Int32(truncatingIfNeeded: (group &>> 1) & 3) &* 2
    for i in 0..<16 {
      y[group &* 16 &+ i] = groupScale * Float((byte(source, place &+ i) &>> shift) & 3) - groupMinimum
    }
  }
}

/// 32 bytes of third bits (a cleared bit subtracts 4), 64 bytes of 2-bit elements, 16 scales of 6 bits, their scale.
@inline(__always)
func q3K(_ source: UnsafeRawPointer, _ y: UnsafeMutablePointer<Float>) {
  let scale = half(source, 108)
  for group in 0..<16 {
    let low = (byte(source, 96 &+ (group & 7)) &>> Int32(truncatingIfNeeded: (group &>> 3) &* 4)) & 15
    let high = (byte(source, 104 &+ (group & 3)) &>> Int32(truncatingIfNeeded: (group &>> 2) &* 2)) & 3
    let groupScale = scale * Float((low | high &<< 4) &- 32)
    let place = 32 &+ (group &>> 3) &* 32 &+ (group & 1) &* 16
    let shift = Int32(truncatingIfNeeded: (group &>> 1) & 3) &* 2
    let mask = Int32(truncatingIfNeeded: group &>> 1)
    for i in 0..<16 {
      let bits = (byte(source, place &+ i) &>> shift) & 3
      let third = (byte(source, (group & 1) &* 16 &+ i) &>> mask) & 1
      y[group &* 16 &+ i] = groupScale * Float(bits &- (third ^ 1) &* 4)
    }
  }
}

/// The 6-bit scale and minimum of the eight groups of Q4_K and Q5_K, packed in 12 bytes.
@inline(__always)
private func scaleAndMinimum(_ source: UnsafeRawPointer, _ group: Int) -> (Int32, Int32) {
  if group < 4 { return (byte(source, group) & 63, byte(source, group &+ 4) & 63) }
  let packed = byte(source, group &+ 4)
  return (
    packed & 15 | (byte(source, group &- 4) &>> 2) & 48,
    packed &>> 4 | (byte(source, group) &>> 2) & 48
  )
}

/// The scale of scales and that of minima, 12 bytes of those, then 128 bytes of 4-bit elements.
@inline(__always)
func q4K(_ source: UnsafeRawPointer, _ y: UnsafeMutablePointer<Float>) {
  let (scale, minimum) = (half(source, 0), half(source, 2))
  for group in 0..<8 {
    let (s, m) = scaleAndMinimum(source + 4, group)
    let (groupScale, groupMinimum) = (scale * Float(s), minimum * Float(m))
    let place = 16 &+ (group &>> 1) &* 32
    let shift = Int32(truncatingIfNeeded: group & 1) &* 4
    for i in 0..<32 {
      y[group &* 32 &+ i] = groupScale * Float((byte(source, place &+ i) &>> shift) & 15) - groupMinimum
    }
  }
}

/// The same with 32 bytes of fifth bits before the elements.
@inline(__always)
func q5K(_ source: UnsafeRawPointer, _ y: UnsafeMutablePointer<Float>) {
  let (scale, minimum) = (half(source, 0), half(source, 2))
  for group in 0..<8 {
    let (s, m) = scaleAndMinimum(source + 4, group)
    let (groupScale, groupMinimum) = (scale * Float(s), minimum * Float(m))
    let place = 48 &+ (group &>> 1) &* 32
    let shift = Int32(truncatingIfNeeded: group & 1) &* 4
    let fifth = Int32(truncatingIfNeeded: group)
    for i in 0..<32 {
      let low = (byte(source, place &+ i) &>> shift) & 15
      let high = (byte(source, 16 &+ i) &>> fifth) & 1
      y[group &* 32 &+ i] = groupScale * Float(low | high &<< 4) - groupMinimum
    }
  }
}

/// 128 bytes of low halves, 64 bytes of upper two bits, 16 signed scales, their scale.
@inline(__always)
func q6K(_ source: UnsafeRawPointer, _ y: UnsafeMutablePointer<Float>) {
  let scale = half(source, 208)
  for group in 0..<16 {
    let groupScale = scale * Float(signedByte(source, 192 &+ group))
    // Half a superblock has 64 bytes of low halves and 32 of upper bits, for four runs of 32 elements.
    let (part, run, side) = (group &>> 3, (group &>> 1) & 3, (group & 1) &* 16)
    let lowPlace = part &* 64 &+ (run & 1) &* 32 &+ side
    let lowShift = Int32(truncatingIfNeeded: run &>> 1) &* 4
    let highPlace = 128 &+ part &* 32 &+ side
    let highShift = Int32(truncatingIfNeeded: run) &* 2
    for i in 0..<16 {
      let low = (byte(source, lowPlace &+ i) &>> lowShift) & 15
      let high = (byte(source, highPlace &+ i) &>> highShift) & 3
      y[group &* 16 &+ i] = groupScale * Float((low | high &<< 4) &- 32)
    }
  }
}
