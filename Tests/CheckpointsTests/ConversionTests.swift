import Checkpoints
import Foundation
import TestSupport
import Testing

@Suite struct ConversionTests {
  static let allPatterns = Array(UInt16.min...UInt16.max)

  /// The value of a binary16 pattern by the standard's formula, in arithmetic that is exact in Double.
  private func value(ofFloat16 bits: UInt16) -> Double {
    let sign = bits >> 15 == 0 ? 1.0 : -1.0
    let exponent = Int(bits >> 10 & 0x1f)
    let fraction = Double(bits & 0x3ff) / 1024
    switch exponent {
    case 0: return sign * fraction * 0x1p-14
    case 31: return fraction == 0 ? sign * .infinity : .nan
    default: return sign * (1 + fraction) * Double(sign: .plus, exponent: exponent - 15, significand: 1)
    }
  }

  private func read(_ patterns: [UInt16], _ type: ElementType) throws -> [Float] {
    let bytes = heldForever(file(of: patterns, type: type))
    let file = try Safetensors(bytes, name: "patterns")
    return try floats(try #require(file["a"]), in: file)
  }

  @Test func `every binary16 pattern widens to its exact value`() throws {
    let found = try read(Self.allPatterns, .float16)
    #expect(found.count == 65_536)
    var wrong: [UInt16] = []
    for (bits, number) in zip(Self.allPatterns, found) {
      let expected = Float(value(ofFloat16: bits))
      let same = expected.isNaN ? number.isNaN : number.bitPattern == expected.bitPattern
      if !same { wrong.append(bits) }
    }
    #expect(wrong.isEmpty)
  }

  @Test func `binary16 patterns widen as NumPy widens them`() throws {
    let expected = integers(UInt32.self, try golden("widening.bin", in: .module))
    let found = try read(stride(from: 0, to: 65_536, by: 7).map { UInt16($0) }, .float16)
    #expect(found.count == expected.count)
    let wrong = zip(found, expected).filter { found, expected in
      // NumPy sets the quiet bit of a NaN.
      found.bitPattern != expected && !(found.isNaN && Float(bitPattern: expected).isNaN)
    }
    #expect(wrong.isEmpty)
  }

  @Test func `every bfloat16 pattern becomes the upper half of a float`() throws {
    let found = try read(Self.allPatterns, .bfloat16)
    #expect(found.map(\.bitPattern) == Self.allPatterns.map { UInt32($0) << 16 })
  }

  @Test(arguments: [ElementType.float16, .bfloat16])
  func `floats round to 16 bits as PyTorch rounds them, and overflow is refused`(type: ElementType) throws {
    let records = integers(UInt16.self, try golden("rounding.bin", in: .module))
    #expect(records.count % 4 == 0 && records.count > 4 * 10_000)
    let infinity: UInt16 = type == .float16 ? 0x7c00 : 0x7f80
    var values: [Float] = []
    var expected: [UInt16] = []
    var tooLarge: [Float] = []
    for start in stride(from: 0, to: records.count, by: 4) {
      let value = Float(bitPattern: UInt32(records[start]) | UInt32(records[start + 1]) << 16)
      let rounded = records[start + (type == .float16 ? 2 : 3)]
      if rounded & 0x7fff == infinity {
        tooLarge.append(value)
      } else {
        values.append(value)
        expected.append(rounded)
      }
    }
    #expect(tooLarge.count >= 8)
    try withTemporaryFolder { folder in
      let url = folder.appending(path: "a.safetensors")
      try write(values, as: type, to: url)
      let file = try Safetensors(try MappedBytes(file: url), name: url.path)
      let entry = try #require(file["a"])
      let found = integers(UInt16.self, try Data(contentsOf: url)[entry.byteRange])
      let wrong = zip(values, zip(found, expected)).filter { $1.0 != $1.1 }
      #expect(wrong.isEmpty && found.count == expected.count)
      let accepted = tooLarge.filter { value in
        checkpointError { try write([1, value], as: type, to: folder.appending(path: "b")) }
          != .outOfRange(tensor: "a", index: 1, value: value, elementType: type)
      }
      #expect(accepted.isEmpty)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.safetensors"])
    }
  }

  @Test func `writing and reading keeps every 16-bit pattern that is finite`() throws {
    for type in [ElementType.float16, .bfloat16] {
      let exponent: UInt16 = type == .float16 ? 0x7c00 : 0x7f80
      let finite = Self.allPatterns.filter { $0 & exponent != exponent }
      try withTemporaryFolder { folder in
        let url = folder.appending(path: "a")
        try write(try read(finite, type), as: type, to: url)
        let file = try Safetensors(try MappedBytes(file: url), name: "a")
        let entry = try #require(file["a"])
        #expect(integers(UInt16.self, try Data(contentsOf: url)[entry.byteRange]) == finite)
      }
    }
  }

  @Test func `a number that is not finite is found at every place`() throws {
    try withTemporaryFolder { folder in
      for count in [1, 7, 4096, 8193, 70_000] {
        for index in Set([0, count / 2, count - 1]) {
          for bad in [Float.nan, .infinity, -.infinity, Float(bitPattern: 0x7f80_0001)] {
            var values = [Float](repeating: .greatestFiniteMagnitude, count: count)
            values[index] = bad
            let url = folder.appending(path: "a")
            #expect(
              checkpointError { try write(values, as: .float32, to: url) }
                == .notFinite(tensor: "a", index: index, file: url.path))
          }
        }
      }
    }
  }
}
