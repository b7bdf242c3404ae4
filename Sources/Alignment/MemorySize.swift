/// An amount of memory as people write it: `2.5GB`, `800 MB`, `4GiB`.
public struct MemorySize: Codable, Sendable, Equatable, CustomStringConvertible {
  /// The number of bytes.
  public let bytes: Int
  /// As it was written.
  public let description: String

  private static let units: [(name: String, bytes: Double)] = [
    ("kib", 1_024), ("mib", 1_048_576), ("gib", 1_073_741_824), ("kb", 1e3), ("mb", 1e6), ("gb", 1e9),
  ]

  /// Reads a number with a unit: KB, MB and GB are powers of 1,000, KiB, MiB and GiB of 1,024.
  public init?(_ text: String) {
    let lowered = text.lowercased()
    guard
      let unit = Self.units.first(where: { lowered.hasSuffix($0.name) }),
      let number = Double(lowered.dropLast(unit.name.count).filter { $0 != " " }),
      case let size = number * unit.bytes, size >= 1, size < 1e15
    else { return nil }
    bytes = Int(size)
    description = text
  }

  /// Reads what ``init(_:)`` reads.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let size = MemorySize(text) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "'\(text)' is no amount of memory; write it like 2.5GB or 800MB")
    }
    self = size
  }

  /// Writes the text that was read.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}
