import Checkpoints
import Foundation
import TestSupport

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Memory whose end touches a page that must not be read: reading one byte too far ends the test process.
///
/// It is never unmapped, as ``MappedBytes/init(staticBytes:)`` asks for.
struct GuardedMemory {
  private let start: UnsafeMutableRawPointer
  private let page = Int(sysconf(Int32(_SC_PAGESIZE)))
  private let capacity: Int

  init(capacity wanted: Int) throws {
    capacity = (wanted + page - 1) / page * page
    guard
      let start = mmap(nil, capacity + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      start != MAP_FAILED, mprotect(start + capacity, page, PROT_NONE) == 0
    else { throw POSIXError(.ENOMEM) }
    self.start = start
  }

  /// The bytes, placed so that they end where the memory ends; valid until the next call.
  func holding(_ bytes: [UInt8]) -> MappedBytes {
    precondition(bytes.count <= capacity)
    let place = start + capacity - bytes.count
    bytes.withUnsafeBytes { if let base = $0.baseAddress { place.copyMemory(from: base, byteCount: $0.count) } }
    return MappedBytes(staticBytes: UnsafeRawBufferPointer(start: place, count: bytes.count))
  }
}

/// The bytes in memory that is never freed, as ``MappedBytes/init(staticBytes:)`` asks for.
func heldForever(_ bytes: [UInt8]) -> MappedBytes {
  let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(bytes.count, 1), alignment: 8)
  memory.copyBytes(from: bytes)
  return MappedBytes(staticBytes: UnsafeRawBufferPointer(rebasing: memory[..<bytes.count]))
}

/// A safetensors file from its parts.
func packed(_ header: String, data: [UInt8] = []) -> [UInt8] {
  withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8) + data
}

/// A file with the one-dimensional tensor `a` of 16-bit elements.
func file(of patterns: [UInt16], type: ElementType) -> [UInt8] {
  let size = patterns.count * 2
  return packed(
    "{\"a\":{\"dtype\":\"\(type.rawValue)\",\"shape\":[\(patterns.count)],\"data_offsets\":[0,\(size)]}}",
    data: patterns.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] })
}

/// All elements of a tensor as floats.
func floats(_ entry: TensorEntry, in file: Safetensors) throws -> [Float] {
  var values = [Float](repeating: .nan, count: entry.count)
  try values.withUnsafeMutableBufferPointer { try file.copyFloats(entry, into: $0) }
  return values
}

/// Writes one tensor called `a`.
func write(_ values: [Float], shape: [Int]? = nil, as type: ElementType, to url: URL) throws {
  try values.withUnsafeBufferPointer { buffer in
    let tensor = TensorToWrite(name: "a", shape: shape ?? [values.count], values: buffer)
    try writeSafetensors([tensor], elementType: type, to: url)
  }
}

/// The message of the error that `body` throws, or nil when it throws none or one of another type.
func message<Result>(_ body: () throws -> Result) -> String? {
  do {
    _ = try body()
    return nil
  } catch let error as CheckpointError {
    return error.description
  } catch {
    return nil
  }
}

/// What an error throws, whatever its type.
func checkpointError<Result>(_ body: () throws -> Result) -> CheckpointError? {
  do {
    _ = try body()
    return nil
  } catch {
    return error as? CheckpointError
  }
}

/// Little-endian integers from bytes.
func integers<Integer: FixedWidthInteger>(_ type: Integer.Type, _ data: Data) -> [Integer] {
  data.withUnsafeBytes { bytes in
    stride(from: 0, to: bytes.count, by: MemoryLayout<Integer>.size).map {
      Integer(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: Integer.self))
    }
  }
}

/// A small seeded generator (SplitMix64), so that a failing mutation can be found again.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
