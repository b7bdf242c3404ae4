import CPlatform

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// A block of 32-bit floats, aligned to a cache line, freed with its owner.
///
/// Pages that are never written cost no memory, so a buffer may be as large as the worst case needs.
/// A buffer carries no lock: whoever shares one between threads keeps their writes apart.
public final class FloatBuffer: @unchecked Sendable {
  /// The first element.
  public let pointer: UnsafeMutablePointer<Float>
  /// The number of elements.
  public let count: Int

  /// Memory for `count` floats, set to zero unless `isZeroed` is false.
  ///
  /// Where the system has no more memory to give, the program says so in one line and ends with status 1.
  public init(count: Int, isZeroed: Bool = true) {
    precondition(count >= 0, "a buffer cannot hold \(count) floats")
    self.count = count
    var bytes: UnsafeMutableRawPointer?
    let size = max(count, 1).multipliedReportingOverflow(by: MemoryLayout<Float>.stride)
    if size.overflow || posix_memalign(&bytes, 64, size.partialValue) != 0 { bytes = nil }
    guard let bytes else { tinyalign_out_of_memory(count) }
    pointer = bytes.bindMemory(to: Float.self, capacity: max(count, 1))
    if isZeroed { pointer.update(repeating: 0, count: count) }
  }

  /// A copy of `values`.
  public convenience init(_ values: [Float]) {
    self.init(count: values.count, isZeroed: false)
    for (index, value) in values.enumerated() { pointer[index] = value }
  }

  deinit { free(pointer) }

  /// The whole block.
  public var elements: UnsafeMutableBufferPointer<Float> { UnsafeMutableBufferPointer(start: pointer, count: count) }

  /// The elements as an array.
  public var array: [Float] { Array(elements) }

  /// Sets every element to zero.
  public func zero() {
    parallel(count, minimumChunk: 1 << 16) { range in
      (pointer + range.lowerBound).update(repeating: 0, count: range.count)
    }
  }

  /// Takes over the elements of `other`, which must be as long.
  public func copy(from other: FloatBuffer) {
    precondition(other.count == count, "cannot copy \(other.count) floats into \(count)")
    pointer.update(from: other.pointer, count: count)
  }
}

/// Read-only floats.
public typealias Floats = UnsafePointer<Float>
/// Floats that a kernel writes.
public typealias MutableFloats = UnsafeMutablePointer<Float>
