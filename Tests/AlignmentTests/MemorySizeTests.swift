import Alignment
import Foundation
import Testing

struct MemorySizeTests {
  @Test(arguments: [
    ("2.5GB", 2_500_000_000), ("800 MB", 800_000_000), ("4GiB", 4_294_967_296), ("1KB", 1_000), ("1KiB", 1_024),
    ("1.5 MiB", 1_572_864), ("2gb", 2_000_000_000), ("3 gib", 3_221_225_472), ("7mB", 7_000_000), ("1e3KB", 1_000_000),
    ("0.25KB", 250), ("999999GB", 999_999_000_000_000), ("0.001KB", 1),
  ])
  func `a number with a unit is read, and kept as it was written`(text: String, bytes: Int) throws {
    let size = try #require(MemorySize(text))
    #expect(size.bytes == bytes)
    #expect(size.description == text)
  }

  @Test(arguments: [
    "", " ", "GB", "nonsense", "800", "2.5", "5B", "5 bytes", "2.5TB", "1,5GB", "1..5GB", "GB5", "5GBs", "five GB",
    "0GB", "0.0 MiB", "-0KB", "-1GB", "-0.5MiB", "nanGB", "infGB", "-infKB", "1e300GB", "1e400GB", "1000000000GB",
    "1000001GB", "0.0001KB",
  ])
  func `what is no amount of memory is refused`(text: String) {
    #expect(MemorySize(text) == nil)
  }

  @Test func `it is written as it was read, and read again`() throws {
    for text in ["2.5GB", "800 MB", "4gib"] {
      let size = try #require(MemorySize(text))
      let data = try JSONEncoder().encode([size])
      #expect(String(bytes: data, encoding: .utf8) == "[\"\(text)\"]")
      #expect(try JSONDecoder().decode([MemorySize].self, from: data) == [size])
    }
    for text in ["\"lots\"", "\"0GB\"", "2000000", "null"] {
      let error = #expect(throws: DecodingError.self) {
        try JSONDecoder().decode([MemorySize].self, from: Data("[\(text)]".utf8))
      }
      if case .dataCorrupted(let context) = error {
        #expect(context.debugDescription.contains("write it like 2.5GB or 800MB"))
      }
    }
  }
}
