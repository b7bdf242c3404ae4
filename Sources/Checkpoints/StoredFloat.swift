/// How numbers that are read as floats are stored in files, little-endian.
enum StoredFloat: Sendable {
  case float32
  case float16
  case bfloat16
  case float64
  /// A byte: a whole number or a Boolean, as masks hold them.
  case uint8
  /// A whole number, as tables of positions hold them.
  case int64

  /// Bytes per element.
  var byteSize: Int {
    switch self {
    case .float32: 4
    case .float16, .bfloat16: 2
    case .float64, .int64: 8
    case .uint8: 1
    }
  }

  /// The floats of safetensors by the type's name; nil for any other.
  init?(safetensors typeName: String) {
    switch typeName {
    case "F32": self = .float32
    case "F16": self = .float16
    case "BF16": self = .bfloat16
    case "F64": self = .float64
    default: return nil
    }
  }
}

/// Converts `count` little-endian elements at `source`, which need not be aligned.
func convert(
  _ type: StoredFloat, from source: UnsafeRawPointer, to destination: UnsafeMutablePointer<Float>, count: Int
) {
  if type == .float32 {
    UnsafeMutableRawPointer(destination).copyMemory(from: source, byteCount: count * 4)
  } else {
    gather(type, from: source, stride: 1, to: destination, count: count)
  }
}

/// Converts `count` little-endian elements, each `stride` elements after the one before; they need not be aligned.
@inline(__always)
private func gather(
  _ type: StoredFloat, from source: UnsafeRawPointer, stride: Int, to destination: UnsafeMutablePointer<Float>,
  count: Int
) {
  switch type {
  case .float32:
    for index in 0..<count {
      let bits = source.loadUnaligned(fromByteOffset: index &* stride &* 4, as: UInt32.self)
      destination[index] = Float(bitPattern: UInt32(littleEndian: bits))
    }
  case .float16:
    for index in 0..<count {
      let bits = source.loadUnaligned(fromByteOffset: index &* stride &* 2, as: UInt16.self)
      destination[index] = Float(bitPattern: float32Bits(fromFloat16: bits))
    }
  case .bfloat16:
    for index in 0..<count {
      let bits = source.loadUnaligned(fromByteOffset: index &* stride &* 2, as: UInt16.self)
      destination[index] = Float(bitPattern: float32Bits(fromBFloat16: bits))
    }
  case .float64:
    for index in 0..<count {
      destination[index] = Float(source.loadUnaligned(fromByteOffset: index &* stride &* 8, as: Double.self))
    }
  case .uint8:
    for index in 0..<count {
      destination[index] = Float(source.load(fromByteOffset: index &* stride, as: UInt8.self))
    }
  case .int64:
    for index in 0..<count {
      let bits = source.loadUnaligned(fromByteOffset: index &* stride &* 8, as: Int64.self)
      destination[index] = Float(Int64(littleEndian: bits))
    }
  }
}

extension MappedBytes {
  /// Converts the elements from byte `offset` on, which must lie in the file; the memory of what was read is released.
  ///
  /// - Returns: the index of the first number that is not finite, where `stoppingAtNonFinite` asks for it.
  func copyFloats(
    _ type: StoredFloat, at offset: Int, into destination: UnsafeMutableBufferPointer<Float>, stoppingAtNonFinite: Bool
  ) -> Int? {
    withUnsafeBytes { all in
      guard let target = destination.baseAddress, let source = all.baseAddress?.advanced(by: offset) else { return nil }
      // In blocks, so that the check finds the numbers in the cache.
      var done = 0
      var released = offset
      while done < destination.count {
        let count = min(destination.count - done, 8192)
        convert(type, from: source + done * type.byteSize, to: target + done, count: count)
        let block = UnsafeBufferPointer(start: target + done, count: count)
        if stoppingAtNonFinite, let index = firstNonFiniteIndex(in: block) { return done + index }
        done += count
        let read = offset + done * type.byteSize
        if read - released >= 4 << 20 || done == destination.count {
          release(released..<read)
          released = read
        }
      }
      return nil
    }
  }

  /// Converts the elements of a tensor with these dimensions, outermost first, whose first element is at byte `offset`;
  /// all of them must lie in the file.
  ///
  /// - Returns: the index of the first number that is not finite.
  func copyFloats(
    _ type: StoredFloat, at offset: Int, strides dimensions: [StridedDimension],
    into destination: UnsafeMutableBufferPointer<Float>
  ) -> Int? {
    withUnsafeBytes { all in
      guard let target = destination.baseAddress, !destination.isEmpty, let inner = dimensions.last,
        let source = all.baseAddress?.advanced(by: offset)
      else { return }
      let outer = dimensions.dropLast()
      var place = [Int](repeating: 0, count: outer.count)
      var element = 0
      var done = 0
      while true {
        gather(
          type, from: source + element * type.byteSize, stride: inner.stride, to: target + done, count: inner.length)
        done += inner.length
        // The next row: the innermost dimension that has one steps on, those within it begin again.
        var dimension = outer.count - 1
        while dimension >= 0 {
          place[dimension] += 1
          element += outer[dimension].stride
          if place[dimension] < outer[dimension].length { break }
          element -= outer[dimension].stride * outer[dimension].length
          place[dimension] = 0
          dimension -= 1
        }
        if dimension < 0 { break }
      }
    }
    return firstNonFiniteIndex(in: UnsafeBufferPointer(destination))
  }
}
