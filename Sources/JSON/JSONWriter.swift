/// JSON text built byte by byte: keys in the order they are written, shortest numbers that read back the same.
///
/// `JSONEncoder` keeps no order and takes some 30 times as long for a step of 1,024 samples.
package struct JSONWriter {
  /// The text so far, UTF-8.
  package private(set) var bytes: [UInt8] = []

  /// The first number that JSON cannot hold, if one was written; the text is then not to be used.
  package private(set) var notFinite: String?

  /// An empty text.
  package init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

  /// Appends text that is JSON already, such as punctuation.
  package mutating func raw(_ text: StaticString) {
    text.withUTF8Buffer { bytes.append(contentsOf: $0) }
  }

  /// Appends one byte.
  package mutating func raw(_ byte: UInt8) { bytes.append(byte) }

  /// Appends `,"NAME":` (the first field of an object has no comma).
  package mutating func key(_ name: StaticString, first: Bool = false) {
    if !first { bytes.append(UInt8(ascii: ",")) }
    bytes.append(UInt8(ascii: "\""))
    raw(name)
    bytes.append(UInt8(ascii: "\""))
    bytes.append(UInt8(ascii: ":"))
  }

  /// Appends a whole number.
  package mutating func integer(_ value: some FixedWidthInteger) {
    if value >= 0 && value < 10 {
      bytes.append(UInt8(ascii: "0") + UInt8(value))
      return
    }
    var digits: (UInt64, UInt64, UInt64) = (0, 0, 0)
    withUnsafeMutableBytes(of: &digits) { buffer in
      var end = buffer.count
      var rest = UInt64(value.magnitude)
      repeat {
        end -= 1
        buffer[end] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      } while rest > 0
      if value < 0 {
        end -= 1
        buffer[end] = UInt8(ascii: "-")
      }
      bytes.append(contentsOf: buffer[end...])
    }
  }

  /// Appends a number in its shortest form that reads back the same; remembers `field` where it is not finite.
  package mutating func number(_ value: Double, field: @autoclosure () -> String) {
    guard value.isFinite else {
      if notFinite == nil { notFinite = field() }
      return
    }
    append(utf8: value.description)
  }

  /// Appends a number in its shortest form that reads back the same; remembers `field` where it is not finite.
  package mutating func number(_ value: Float, field: @autoclosure () -> String) {
    guard value.isFinite else {
      if notFinite == nil { notFinite = field() }
      return
    }
    append(utf8: value.description)
  }

  /// Appends a string in quotes; quotes, backslashes and control characters are escaped.
  package mutating func string(_ text: String) {
    bytes.append(UInt8(ascii: "\""))
    var text = text
    text.withUTF8 { source in
      var start = 0
      for index in source.indices {
        let byte = source[index]
        if byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\") { continue }
        bytes.append(contentsOf: source[start..<index])
        escape(byte)
        start = index + 1
      }
      bytes.append(contentsOf: source[start...])
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// Appends an array of what `element` writes of each value.
  package mutating func list<Value>(_ values: [Value], _ element: (Value, inout JSONWriter) -> Void) {
    bytes.append(UInt8(ascii: "["))
    for (position, value) in values.enumerated() {
      if position > 0 { bytes.append(UInt8(ascii: ",")) }
      element(value, &self)
    }
    bytes.append(UInt8(ascii: "]"))
  }

  private mutating func escape(_ byte: UInt8) {
    switch byte {
    case UInt8(ascii: "\""): raw("\\\"")
    case UInt8(ascii: "\\"): raw("\\\\")
    case 0x08: raw("\\b")
    case 0x09: raw("\\t")
    case 0x0A: raw("\\n")
    case 0x0C: raw("\\f")
    case 0x0D: raw("\\r")
    default:
      raw("\\u00")
      for nibble in [byte >> 4, byte & 15] {
        bytes.append(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10)
      }
    }
  }

  private mutating func append(utf8 text: String) {
    var text = text
    text.withUTF8 { bytes.append(contentsOf: $0) }
  }
}
