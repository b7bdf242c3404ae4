/// A message in the wire format of Protocol Buffers, built field by field.
///
/// The few messages of an event file do not need the protobuf package with its generator, which would add minutes to
/// every build. A field is a key (number and wire type) and a value: a variable-length integer (type 0), eight bytes (1),
/// a length and that many bytes (2) or four bytes (5); numbers are little-endian.
/// See https://protobuf.dev/programming-guides/encoding/.
package struct ProtobufMessage {
  /// The message so far.
  package private(set) var bytes: [UInt8] = []

  /// An empty message.
  package init() {}

  /// Appends an integer or an enumeration's case.
  package mutating func integer(_ field: UInt64, _ value: Int64) {
    key(field, wireType: 0)
    variable(UInt64(bitPattern: value))
  }

  /// Appends a double.
  package mutating func double(_ field: UInt64, _ value: Double) {
    key(field, wireType: 1)
    fixed(value.bitPattern)
  }

  /// Appends bytes.
  package mutating func bytes(_ field: UInt64, _ value: some Collection<UInt8>) {
    key(field, wireType: 2)
    variable(UInt64(value.count))
    bytes.append(contentsOf: value)
  }

  /// Appends text as UTF-8.
  package mutating func string(_ field: UInt64, _ value: String) { bytes(field, value.utf8) }

  /// Appends a message within this one.
  package mutating func message(_ field: UInt64, _ build: (inout ProtobufMessage) -> Void) {
    var inner = ProtobufMessage()
    build(&inner)
    bytes(field, inner.bytes)
  }

  /// Appends a packed list of floats.
  package mutating func floats(_ field: UInt64, _ values: [Float]) {
    key(field, wireType: 2)
    variable(UInt64(values.count * 4))
    for value in values { fixed(value.bitPattern) }
  }

  /// Appends a packed list of doubles.
  package mutating func doubles(_ field: UInt64, _ values: [Double]) {
    key(field, wireType: 2)
    variable(UInt64(values.count * 8))
    for value in values { fixed(value.bitPattern) }
  }

  private mutating func key(_ field: UInt64, wireType: UInt64) { variable(field << 3 | wireType) }

  /// Seven bits a byte, the lowest first; all bytes but the last have their highest bit set.
  private mutating func variable(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  private mutating func fixed<Number: FixedWidthInteger>(_ value: Number) {
    withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
  }
}
