/// The element types of PyTorch's tensors; the raw value is the name after `torch.`.
enum TorchType: String, CaseIterable {
  case float32
  case float16
  case bfloat16
  case float64
  case uint8
  case bool
  case int8
  case int16
  case int32
  case int64
  case uint16
  case uint32
  case uint64
  case complex32
  case complex64
  case complex128
  case float8E4M3 = "float8_e4m3fn"
  case float8E4M3UZ = "float8_e4m3fnuz"
  case float8E5M2 = "float8_e5m2"
  case float8E5M2UZ = "float8_e5m2fnuz"

  /// Bytes per element.
  var byteSize: Int {
    switch self {
    case .uint8, .bool, .int8, .float8E4M3, .float8E4M3UZ, .float8E5M2, .float8E5M2UZ: 1
    case .float16, .bfloat16, .int16, .uint16: 2
    case .float32, .int32, .uint32, .complex32: 4
    case .float64, .int64, .uint64, .complex64: 8
    case .complex128: 16
    }
  }

  /// How its elements become floats, or nil where they are not read as floats.
  var storedFloat: StoredFloat? {
    switch self {
    case .float32: .float32
    case .float16: .float16
    case .bfloat16: .bfloat16
    case .float64: .float64
    default: nil
    }
  }

  /// The types of storages that have a class of their own, by the name after `torch.`.
  static let storages: [String: TorchType] = [
    "FloatStorage": .float32, "HalfStorage": .float16, "BFloat16Storage": .bfloat16, "DoubleStorage": .float64,
    "ByteStorage": .uint8, "BoolStorage": .bool, "CharStorage": .int8, "ShortStorage": .int16, "IntStorage": .int32,
    "LongStorage": .int64, "ComplexFloatStorage": .complex64, "ComplexDoubleStorage": .complex128,
  ]
}
