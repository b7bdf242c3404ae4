import Foundation
import JSON
import Runs

/// Finds a text in prompts and stories, whatever the case of its letters.
struct TextSearch {
  private let needle: [UInt8]
  private let isPlain: Bool
  private let prompts: [(text: [UInt8], matches: Bool)]
  private var scratch: [UInt8] = []

  /// A search for `text` among stories that continue `prompts`.
  init(_ text: String, prompts: [String]) {
    needle = Array(text.lowercased().utf8)
    isPlain = needle.allSatisfy { $0 < 0x80 }
    self.prompts = prompts.map { [needle] prompt in
      let lower = Array(prompt.lowercased().utf8)
      return (Array(lower.suffix(max(0, needle.count - 1))), Self.contains(lower, needle))
    }
  }

  /// The rows among `positions` whose prompt and text hold the text.
  ///
  /// - Throws: ``FileProblem``.
  mutating func matches(
    _ positions: [Int32], rows: ContiguousArray<SampleRow>, in file: borrowing OpenFile
  ) throws(FileProblem) -> [Int32] {
    var found: [Int32] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    var start = 0
    var filled = 0
    for position in positions {
      let row = rows[Int(position)]
      let prompt = prompts[Int(row.prompt)]
      if prompt.matches {
        found.append(position)
        continue
      }
      let from = row.offset + Int(row.textStart)
      let count = Int(row.textLength)
      if from < start || from + count > start + filled {
        if count > buffer.count { buffer = [UInt8](repeating: 0, count: count) }
        start = from
        filled = try file.read(from: from, into: &buffer, at: 0)
        guard count <= filled else { continue }
      }
      let isMatch = buffer.withUnsafeBufferPointer { bytes in
        matches(UnsafeBufferPointer(rebasing: bytes[from - start..<from - start + count]), after: prompt.text)
      }
      if isMatch { found.append(position) }
    }
    return found
  }

  /// Whether a text in JSON's quotes holds the needle, also where it begins in the prompt.
  private mutating func matches(_ quoted: UnsafeBufferPointer<UInt8>, after prompt: [UInt8]) -> Bool {
    scratch.removeAll(keepingCapacity: true)
    scratch.append(contentsOf: prompt)
    var isSimple = true
    for byte in quoted.dropFirst().dropLast() {
      if byte == UInt8(ascii: "\\") || byte >= 0x80 && !isPlain {
        isSimple = false
        break
      }
      scratch.append(byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte)
    }
    if !isSimple {
      var scanner = JSONScanner(quoted)
      guard let text = try? scanner.string() else { return false }
      scratch.removeAll(keepingCapacity: true)
      scratch.append(contentsOf: prompt)
      scratch.append(contentsOf: text.lowercased().utf8)
    }
    return Self.contains(scratch, needle)
  }

  private static func contains(_ text: [UInt8], _ needle: [UInt8]) -> Bool {
    guard let first = needle.first else { return true }
    return text.withUnsafeBytes { text in
      needle.withUnsafeBytes { needle in
        guard let start = text.baseAddress, let pattern = needle.baseAddress else { return false }
        var at = 0
        while at + needle.count <= text.count,
          let found = memchr(start + at, Int32(first), text.count - needle.count + 1 - at)
        {
          if memcmp(found, pattern, needle.count) == 0 { return true }
          at = UnsafeRawPointer(found) - start + 1
        }
        return false
      }
    }
  }
}
