import Foundation

/// A mutation that a test's body threw for: enough to make it again.
public struct MutationFailure: Error, CustomStringConvertible {
  /// Which round it was; a round's bytes depend on the seed and its number alone.
  public let round: Int
  /// What was thrown.
  public let error: any Error

  /// What a failing test prints.
  public var description: String { "round \(round): \(error)" }
}

/// The number of mutations to try: `count`, or what the environment variable TINYALIGN_FUZZ_ROUNDS says.
public func fuzzRounds(default count: Int) -> Int {
  guard let text = ProcessInfo.processInfo.environment["TINYALIGN_FUZZ_ROUNDS"] else { return count }
  guard let rounds = Int(text), rounds >= 0 else { fatalError("TINYALIGN_FUZZ_ROUNDS is no count: \(text)") }
  return rounds
}

/// Calls `body` with `rounds` damaged copies of a sound file, each with one to four changes.
///
/// Bits are flipped, bytes overwritten (with random ones, 0, 255, or little-endian integers from where readers overflow),
/// ranges deleted, inserted, repeated, or copied over others, and the end cut off.
/// The same seed makes the same files; they are at most twice as long as the whole, and 1,024 bytes.
///
/// - Throws: ``MutationFailure`` at the first copy for which `body` throws.
public func forEachMutation(
  of bytes: [UInt8], rounds: Int, seed: UInt64, _ body: ([UInt8]) throws -> Void
) rethrows {
  for round in 0..<rounds {
    var mutator = Mutator(bytes, state: seed &* 0x9e37_79b9_7f4a_7c15 &+ UInt64(round) &* 0xd134_2543_de82_ef95)
    do {
      try body(mutator.mutated(longest: 2 * bytes.count + 1024))
    } catch {
      throw MutationFailure(round: round, error: error)
    }
  }
}

private struct Mutator {
  private var bytes: [UInt8]
  private var generator: SplitMix64

  init(_ bytes: [UInt8], state: UInt64) {
    self.bytes = bytes
    generator = SplitMix64(state: state)
  }

  mutating func mutated(longest: Int) -> [UInt8] {
    for _ in 0...number(below: 4) { change() }
    if bytes.count > longest { bytes.removeSubrange(longest...) }
    return bytes
  }

  private mutating func change() {
    let place = place()
    switch number(below: 12) {
    case 0, 1: overwrite(place, [at(place) ^ UInt8(1 << number(below: 8))])
    case 2: overwrite(place, [UInt8(number(below: 256))])
    case 3: overwrite(place, [UInt8](repeating: Bool.random(using: &generator) ? 0 : 255, count: length()))
    case 4, 5, 6: overwrite(place, interestingInteger())
    case 7: bytes.removeSubrange(range(from: place))
    case 8: bytes.insert(contentsOf: (0..<length()).map { _ in UInt8(number(below: 256)) }, at: place)
    case 9: bytes.insert(contentsOf: Array(bytes[range(from: place)]), at: place)
    case 10: overwrite(place, Array(bytes[range(from: self.place())]))
    default:
      // A cut takes most of the file; so that the other changes count, only one in three of them is made.
      if number(below: 3) == 0 { bytes.removeSubrange(place...) } else { overwrite(place, [at(place) &+ 1]) }
    }
  }

  /// A little-endian integer near a bound of its type, or small, or negative.
  private mutating func interestingInteger() -> [UInt8] {
    let width = 1 << number(below: 4)
    let bits = UInt64(8 * width)
    let top: UInt64 = 1 << (bits - 1)
    let bases: [UInt64] = [
      0, top, top - 1, .max, .max << (bits / 2), 1 << (bits / 2), top >> 1, UInt64(bytes.count),
      1 << UInt64(number(below: 64)),
    ]
    let value = (bases.randomElement(using: &generator) ?? 0) &+ UInt64(number(below: 5)) &- 2
    return withUnsafeBytes(of: value.littleEndian) { Array($0.prefix(width)) }
  }

  private mutating func overwrite(_ place: Int, _ values: [UInt8]) {
    let end = min(bytes.count, place + values.count)
    bytes.replaceSubrange(place..<end, with: values.prefix(end - place))
  }

  private func at(_ place: Int) -> UInt8 { place < bytes.count ? bytes[place] : 0 }

  /// Any place; one in four near the beginning or the end, where formats keep their tables.
  private mutating func place() -> Int {
    switch number(below: 8) {
    case 0: number(below: min(bytes.count, 64) + 1)
    case 1: bytes.count - number(below: min(bytes.count, 64) + 1)
    default: number(below: bytes.count + 1)
    }
  }

  /// Mostly a few bytes, sometimes many.
  private mutating func length() -> Int { 1 + number(below: number(below: 8) == 0 ? 256 : 16) }

  private mutating func range(from place: Int) -> Range<Int> { place..<min(bytes.count, place + length()) }

  private mutating func number(below bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }
}

/// Numbers that repeat from run to run, so that a failing case can be found again (SplitMix64).
public struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  /// A generator that begins at `state`.
  public init(state: UInt64) { self.state = state }

  /// The next 64 random bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
