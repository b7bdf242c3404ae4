/// The element types that are written from 32-bit floats, and read as such. The raw value is the name in the file.
public enum ElementType: String, CaseIterable, Sendable {
  /// IEEE 754 binary32.
  case float32 = "F32"
  /// IEEE 754 binary16: 5 bits of exponent, 10 of fraction.
  case float16 = "F16"
  /// The upper half of a binary32: 8 bits of exponent, 7 of fraction.
  case bfloat16 = "BF16"

  /// Bytes per element.
  public var byteSize: Int { storedFloat.byteSize }

  /// How its elements become floats.
  var storedFloat: StoredFloat {
    switch self {
    case .float32: .float32
    case .float16: .float16
    case .bfloat16: .bfloat16
    }
  }
}

/// One tensor of a safetensors file: its name, type, shape and place.
public struct TensorEntry: Sendable, Equatable {
  /// The tensor's name, such as `transformer.wte.weight`.
  public let name: String
  /// The element type's name in the file, such as `F32` or `I64`.
  public let typeName: String
  /// The lengths of the dimensions, outermost first; empty for a scalar, and a length may be 0.
  public let shape: [Int]
  /// The bytes of the tensor, counted from the start of the file.
  public let byteRange: Range<Int>
  /// The number of elements: the product of ``shape``.
  public let count: Int

  /// The element type, or nil where the file has one that is not written (`F64`, `I64`, `BOOL`, …).
  public var elementType: ElementType? { ElementType(rawValue: typeName) }
}

/// The bits of one element, for every type name of the safetensors format; nil for a name it does not have.
func bitsPerElement(typeName: String) -> Int? {
  switch typeName {
  case "F4": 4
  case "F6_E2M3", "F6_E3M2": 6
  case "BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ": 8
  case "I16", "U16", "F16", "BF16": 16
  case "I32", "U32", "F32": 32
  case "I64", "U64", "F64", "C64": 64
  default: nil
  }
}

/// The product of the dimensions, multiplied from the left as the reference implementation does; nil on overflow.
func elementCount(_ shape: [Int]) -> Int? {
  var count = 1
  for length in shape {
    let (product, overflow) = count.multipliedReportingOverflow(by: length)
    if overflow || length < 0 { return nil }
    count = product
  }
  return count
}
