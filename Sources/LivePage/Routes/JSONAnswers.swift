import JSON
import Runs

/// The bytes of an object whose members `members` writes.
func jsonObject(_ members: (inout JSONWriter) -> Void) -> [UInt8] {
  var writer = JSONWriter(capacity: 1_024)
  writer.raw("{")
  members(&writer)
  writer.raw("}")
  return writer.bytes
}

extension JSONWriter {
  mutating func member(_ name: StaticString, _ value: String?, first: Bool = false) {
    key(name, first: first)
    if let value { string(value) } else { raw("null") }
  }

  mutating func member(_ name: StaticString, _ value: Int?, first: Bool = false) {
    key(name, first: first)
    if let value { integer(value) } else { raw("null") }
  }

  mutating func member(_ name: StaticString, _ value: Bool) {
    key(name)
    if value { raw("true") } else { raw("false") }
  }

  /// A number; null where JSON has none.
  mutating func member(_ name: StaticString, _ value: Double?) {
    key(name)
    if let value, value.isFinite { number(value, field: "") } else { raw("null") }
  }

  /// A number; null where JSON has none.
  mutating func member(_ name: StaticString, _ value: Float) {
    key(name)
    if value.isFinite { number(value, field: "") } else { raw("null") }
  }

  mutating func member<Value>(
    _ name: StaticString, list values: [Value], first: Bool = false, _ element: (Value, inout JSONWriter) -> Void
  ) {
    key(name, first: first)
    list(values, element)
  }

  mutating func member(_ name: StaticString, strings: [String], first: Bool = false) {
    member(name, list: strings, first: first) { $1.string($0) }
  }
}
