import Foundation
import TestSupport
import Testing

/// Reads event files as the formats' descriptions have it, sharing nothing with what writes them.
struct TensorBoardFile {
  /// A value of an event.
  struct Value {
    var tag: String
    var plugin: String
    var dataClass: UInt64
    var description: String?
    var type: UInt64
    var shape: [UInt64]
    var floats: [Float]
    var doubles: [Double]
    var texts: [String]
  }

  /// An event with a summary.
  struct Event {
    var wallTime: Double
    var step: Int
    var values: [Value]
  }

  /// What the first record says: the format's version and who wrote it.
  var version: String?
  var writer: String?
  var events: [Event] = []

  /// Reads a file; every record must be whole, with both checksums right.
  init(_ data: Data, location: SourceLocation = #_sourceLocation) throws {
    var rest = [UInt8](data)[...]
    while !rest.isEmpty {
      try #require(rest.count >= 16, "a torn record", sourceLocation: location)
      let length = Int(number(rest.prefix(8)))
      #expect(unmasked(number(rest.dropFirst(8).prefix(4))) == crc(rest.prefix(8)), sourceLocation: location)
      try #require(rest.count >= 16 + length, "a torn record", sourceLocation: location)
      let payload = rest.dropFirst(12).prefix(length)
      #expect(unmasked(number(rest.dropFirst(12 + length).prefix(4))) == crc(payload), sourceLocation: location)
      rest = rest.dropFirst(16 + length)
      let fields = try Message(payload)
      if let version = fields.text(3) {
        self.version = version
        writer = try fields.message(10)?.text(1)
        #expect(events.isEmpty, "the version comes first", sourceLocation: location)
      } else {
        let summary = try #require(try fields.message(5), sourceLocation: location)
        events.append(
          Event(
            wallTime: Double(bitPattern: fields.integer(1)), step: Int(truncatingIfNeeded: fields.integer(2)),
            values: try summary.bytes[1, default: []].map { try Value($0) }))
      }
    }
  }

  /// The values of a tag with their steps.
  func series(_ tag: String) -> [(step: Int, value: Value)] {
    events.flatMap { event in event.values.filter { $0.tag == tag }.map { (event.step, $0) } }
  }
}

extension TensorBoardFile.Value {
  fileprivate init(_ bytes: ArraySlice<UInt8>) throws {
    let value = try Message(bytes)
    let tensor = try #require(try value.message(8))
    let metadata = try #require(try value.message(9))
    let shape = try #require(try tensor.message(2))
    tag = try #require(value.text(1))
    plugin = try #require(try metadata.message(1)?.text(1))
    dataClass = metadata.integer(4)
    description = metadata.text(3)
    type = tensor.integer(1)
    self.shape = try shape.bytes[2, default: []].map { try Message($0).integer(1) }
    floats = numbers(tensor.bytes[5]?.first ?? [], size: 4).map { Float(bitPattern: UInt32($0)) }
    doubles = numbers(tensor.bytes[4]?.first ?? [], size: 8).map { Double(bitPattern: $0) }
    texts = tensor.bytes[8, default: []].map { String(decoding: $0, as: UTF8.self) }
  }
}

/// The fields of a message by their numbers.
private struct Message {
  var integers: [UInt64: [UInt64]] = [:]
  var bytes: [UInt64: [ArraySlice<UInt8>]] = [:]

  init(_ data: ArraySlice<UInt8>) throws {
    var rest = data
    func variable() throws -> UInt64 {
      var value: UInt64 = 0
      for shift in stride(from: UInt64(0), to: 64, by: 7) {
        let next = rest.popFirst()
        let byte = try #require(next, "a torn integer")
        value |= UInt64(byte & 0x7F) << shift
        if byte < 0x80 { return value }
      }
      throw BrokenFile(description: "an integer without end")
    }
    while !rest.isEmpty {
      let key = try variable()
      switch key & 7 {
      case 0: integers[key >> 3, default: []].append(try variable())
      case 1:
        try #require(rest.count >= 8)
        integers[key >> 3, default: []].append(number(rest.prefix(8)))
        rest = rest.dropFirst(8)
      case 2:
        let length = Int(try variable())
        try #require(rest.count >= length, "a torn field")
        bytes[key >> 3, default: []].append(rest.prefix(length))
        rest = rest.dropFirst(length)
      default: throw BrokenFile(description: "wire type \(key & 7)")
      }
    }
  }

  func integer(_ field: UInt64) -> UInt64 { integers[field]?.last ?? 0 }
  func text(_ field: UInt64) -> String? { bytes[field]?.last.map { String(decoding: $0, as: UTF8.self) } }
  func message(_ field: UInt64) throws -> Message? { try bytes[field]?.last.map { try Message($0) } }
}

private struct BrokenFile: Error, CustomStringConvertible {
  var description: String
}

/// A little-endian number.
private func number(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }

private func numbers(_ bytes: ArraySlice<UInt8>, size: Int) -> [UInt64] {
  stride(from: bytes.startIndex, to: bytes.endIndex, by: size).map {
    number(bytes[$0..<min($0 + size, bytes.endIndex)])
  }
}

/// CRC-32C bit by bit, the highest power first: as slow as it is plain.
private func crc(_ bytes: ArraySlice<UInt8>) -> UInt64 {
  var rest: UInt32 = .max
  for byte in bytes {
    for bit in 0..<8 {
      let isSet = rest >> 31 == 1
      rest <<= 1
      if isSet != (byte >> bit & 1 == 1) { rest ^= 0x1EDC_6F41 }
    }
  }
  var reflected: UInt32 = 0
  for bit in UInt32(0)..<32 {
    let digit: UInt32 = rest >> bit & 1
    reflected |= digit << (31 - bit)
  }
  return UInt64(~reflected)
}

private func unmasked(_ masked: UInt64) -> UInt64 {
  let rotated = UInt32(masked) &- 0xA282_EAD8
  return UInt64(rotated >> 17 | rotated << 15)
}
