import Foundation
import JSON
import TestSupport
import Testing

@Suite("JSON text") struct JSONTests {
  @Test func `strings are escaped as JSON demands and read back the same`() throws {
    let plain = "quote \" backslash \\ slash / tab \t newline \n return \r bell \u{7} back \u{8} feed \u{C} nul \0"
    let wide = "é ü 猫 🐈‍⬛ \u{2028} \u{2029} \u{7F} \u{FFFF}"
    let expected =
      #""quote \" backslash \\ slash / tab \t newline \n return \r bell \u0007 back \b feed \f nul \u0000""#
    #expect(String(decoding: try JSONValue.string(plain).encoded(), as: UTF8.self) == expected)
    #expect(String(decoding: try JSONValue.string(wide).encoded(), as: UTF8.self) == "\"\(wide)\"")
    for text in [plain, wide, "", "\\", "\"", "\u{1F}\u{1F}"] {
      let bytes = try JSONValue.string(text).encoded()
      #expect(try JSONValue(parsing: bytes) == .string(text))
      #expect(
        try JSONDecoder().decode(String.self, from: Data(bytes)).unicodeScalars.elementsEqual(text.unicodeScalars))
    }
  }

  @Test func `escapes are resolved and pairs joined; half of a pair is refused`() throws {
    func parse(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }
    #expect(try parse(#""\u0041\/\ud83d\ude00\u00e9""#) == "A/😀é")
    for half in [#""a\ud83d""#, #""a\ud83dx\udc00""#, #""a\ud83d\u0041""#, #""a\udc00""#] {
      #expect(throws: JSONError(reason: "half of a surrogate pair", offset: 2)) { try parse(half) }
    }
  }

  @Test func `numbers keep every bit`() throws {
    var numbers = SplitMix64(state: 1)
    var values: [Double] = [
      0, -0.0, 1, -1, 0.1, 1e-5, 1e22, 1e23, 123_456_789_012_345_680, .leastNonzeroMagnitude, .greatestFiniteMagnitude,
    ]
    for _ in 0..<20_000 {
      let value = Double(bitPattern: numbers.next())
      if value.isFinite { values.append(value) }
      values.append(Double.random(in: -10...10, using: &numbers))
      values.append((Double.random(in: -1...1, using: &numbers) * 1e6).rounded() / 1e6)
    }
    for value in values {
      var writer = JSONWriter()
      writer.number(value, field: "x")
      let read = try writer.bytes.withUnsafeBufferPointer { bytes in
        var scanner = JSONScanner(bytes)
        return try scanner.double()
      }
      #expect(read.bitPattern == value.bitPattern)
    }
  }

  @Test func `single-precision numbers keep every bit`() throws {
    var numbers = SplitMix64(state: 2)
    var values: [Float] = [
      0, -0.0, 1, 0.1, .leastNonzeroMagnitude, .leastNormalMagnitude, .greatestFiniteMagnitude, 16_777_216,
    ]
    for _ in 0..<20_000 {
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: numbers.next()))
      if value.isFinite { values.append(value) }
      values.append(Float.random(in: -1...1, using: &numbers))
    }
    for value in values {
      var writer = JSONWriter()
      writer.number(value, field: "x")
      let read = try writer.bytes.withUnsafeBufferPointer { bytes in
        var scanner = JSONScanner(bytes)
        return try scanner.float()
      }
      #expect(read.bitPattern == value.bitPattern)
    }
  }

  @Test func `a decimal just beside the middle of two floats is rounded once`() throws {
    // 1 + 2^-24 lies halfway between 1 and the next float; the digits below say "a little more".
    let text = Array("1.000000059604644775390625000000000000001 ".utf8)
    let read = try text.withUnsafeBufferPointer { bytes in
      var scanner = JSONScanner(bytes)
      return try scanner.float()
    }
    #expect(read == Float(1).nextUp)
  }

  @Test func `whole numbers reach both ends of their range and not beyond`() throws {
    for value in [Int.min, -10, -1, 0, 9, 10, 1_234_567, Int.max] {
      let bytes = try JSONValue.integer(value).encoded()
      #expect(String(decoding: bytes, as: UTF8.self) == String(value))
      #expect(try JSONValue(parsing: bytes) == .integer(value))
    }
    for value in [UInt64(Int.max) + 1, 9_223_372_036_854_775_833, .max] {
      let bytes = try JSONValue(value).encoded()
      #expect(String(decoding: bytes, as: UTF8.self) == String(value))
      let read = try JSONValue(parsing: bytes)
      #expect(read == .unsigned(value) && read.unsignedValue == value && read.integerValue == nil)
      // As Foundation reads and writes them, too.
      #expect(try JSONDecoder().decode(JSONValue.self, from: Data(bytes)) == read)
      #expect(try JSONEncoder().encode(read) == Data(bytes))
    }
    #expect(JSONValue(7) == 7 && JSONValue.integer(-1).unsignedValue == nil)
    // 2^64, and what lies below all whole numbers, is rounded to the nearest double.
    #expect(try JSONValue(parsing: Array("18446744073709551616".utf8)) == .number(0x1p64))
    #expect(try JSONValue(parsing: Array("-9223372036854775809".utf8)) == .number(-0x1p63))
  }

  @Test(arguments: [
    "", " ", "{", "}", "[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "01", "1.", ".5", "-", "+1", "1e", "1e+",
    "NaN", "Infinity", "nul", "tru", "\"", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"a\nb\"", "1 1", "1e999",
    "'a'", "\u{FEFF}1",
  ])
  func `text that is not JSON is refused`(_ text: String) {
    #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text.utf8)) }
  }

  @Test func `deep nesting is refused, not a crash`() {
    let deep = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
    #expect(throws: JSONError.self) { try JSONValue(parsing: deep) }
    let objects = Array(String(repeating: "{\"a\":", count: 100_000).utf8)
    #expect(throws: JSONError.self) { try JSONValue(parsing: objects) }
  }

  @Test func `bytes that are no UTF-8 are refused with their place`() throws {
    let sequences: [[UInt8]] = [
      [0x80], [0xC0, 0x80], [0xC3], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF0, 0x80, 0x80, 0x80],
      [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0xE2, 0x82],
    ]
    for bytes in sequences {
      for text in [
        Array("{\"ab\":\"".utf8) + bytes + Array("\"}".utf8), Array("{\"bcdef".utf8) + bytes + Array("\":1}".utf8),
      ] {
        #expect(throws: JSONError(reason: "the bytes are not UTF-8", offset: 7), "\(bytes)") {
          try JSONValue(parsing: text)
        }
        #expect(throws: JSONError.self, "\(bytes)") {
          try text.withUnsafeBufferPointer { buffer in
            var scanner = JSONScanner(buffer)
            try scanner.skipValue()
          }
        }
      }
    }
  }

  @Test func `keys are told apart by their bytes, and of one given twice the last counts`() throws {
    // A composed and a decomposed e with acute accent: equal to Swift, two keys to JSON.
    let value = try JSONValue(parsing: Array("{\"\u{E9}\": 1, \"e\u{301}\": 2, \"a\": 3, \"a\": 4}".utf8))
    #expect(value["\u{E9}"] == 1)
    #expect(value["e\u{301}"] == 2)
    #expect(value["a"] == 4)
  }

  @Test func `objects keep their order, compact and pretty, and Foundation reads them`() throws {
    let value: JSONValue = ["z": 1, "a": [1.5, true, .null, "x"], "m": [:], "e": []]
    let compact = try value.encoded()
    #expect(String(decoding: compact, as: UTF8.self) == #"{"z":1,"a":[1.5,true,null,"x"],"m":{},"e":[]}"#)
    let pretty = try value.encoded(pretty: true)
    let expected =
      "{\n  \"z\": 1,\n  \"a\": [\n    1.5,\n    true,\n    null,\n    \"x\"\n  ],\n  \"m\": {},\n  \"e\": []\n}"
    #expect(String(decoding: pretty, as: UTF8.self) == expected)
    #expect(try JSONValue(parsing: pretty) == value)
    let decoded = try JSONDecoder().decode(JSONValue.self, from: Data(compact))
    #expect(decoded["a"] == value["a"])
    #expect(decoded["z"] == 1)
    let again = try JSONDecoder().decode(JSONValue.self, from: try JSONEncoder().encode(value))
    #expect(again["a"] == value["a"])
  }

  @Test func `numbers that JSON cannot hold are refused by name`() {
    let value: JSONValue = ["kl": .number(.nan)]
    #expect { try value.encoded() } throws: { "\($0)".hasPrefix("kl is not a finite number") }
  }
}
