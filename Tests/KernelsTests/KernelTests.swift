import Kernels
import TestSupport
import Testing

/// All tests of this module, one at a time: they set ``Threads/count``.
@Suite("Kernels", .serialized) struct KernelTests {}

/// Sizes around the SIMD width of 8 and the blocks that kernels work in.
let oddSizes = Array(1...17) + [31, 64, 65, 192]

/// Runs `body` with one thread and with two.
func withThreadCounts(_ counts: [Int] = [1, 2], _ body: (Int) throws -> Void) rethrows {
  let before = Threads.count
  defer { Threads.count = before }
  for count in counts {
    Threads.count = count
    try body(count)
  }
}

/// Random numbers of the tests' own: xorshift64*, so that the module's are not used to test it.
struct TestRandom: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: Int) { state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> UInt64 {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return state &* 0x2545_F491_4F6C_DD1D
  }

  mutating func floats(_ count: Int, in range: ClosedRange<Float> = -1...1) -> [Float] {
    (0..<count).map { _ in Float.random(in: range, using: &self) }
  }

  mutating func int(_ range: Range<Int>) -> Int { Int.random(in: range, using: &self) }
}

extension [Float] {
  var doubles: [Double] { map { Double($0) } }
}

/// Floats with a margin of NaN on both sides: what a kernel reads there poisons its result, what it writes there shows.
///
/// The margin is odd, so that no row is aligned.
final class Guarded {
  private static let margin = 17
  private static let mark: UInt32 = 0x7FC0_BEEF
  private let base: MutableFloats
  let count: Int

  init(_ values: [Float]) {
    count = values.count
    base = .allocate(capacity: count + 2 * Self.margin)
    base.initialize(repeating: Float(bitPattern: Self.mark), count: count + 2 * Self.margin)
    for (index, value) in values.enumerated() { pointer[index] = value }
  }

  /// Memory that is to be overwritten: not a number until it is.
  convenience init(overwritten count: Int) { self.init([Float](repeating: .nan, count: count)) }

  deinit { base.deallocate() }

  var pointer: MutableFloats { base + Self.margin }
  var readOnly: Floats { Floats(pointer) }
  var values: [Float] { (0..<count).map { pointer[$0] } }
  var bits: [UInt32] { values.map(\.bitPattern) }
  var isAllNaN: Bool { values.allSatisfy(\.isNaN) }

  var isMarginIntact: Bool {
    (0..<Self.margin).allSatisfy {
      base[$0].bitPattern == Self.mark && base[Self.margin + count + $0].bitPattern == Self.mark
    }
  }
}

/// Fails where a margin was written to; until then the memory of `memories` stays allocated, whoever holds its address.
func checkMargins(_ memories: Guarded..., sourceLocation: SourceLocation = #_sourceLocation) {
  for (index, memory) in memories.enumerated() where !memory.isMarginIntact {
    Issue.record("wrote outside of memory \(index)", sourceLocation: sourceLocation)
  }
}

/// Fails unless every element lies within `tolerance` times the largest expected one (or `floor`), margins included.
///
/// `label` is only built for a failure.
func check(
  _ actual: Guarded, _ expected: [Double], within tolerance: Double, floor: Double = 0.1,
  _ label: @autoclosure () -> String, sourceLocation: SourceLocation = #_sourceLocation
) {
  if !actual.isMarginIntact { Issue.record("wrote outside its memory: \(label())", sourceLocation: sourceLocation) }
  check(actual.values, expected, within: tolerance, floor: floor, label(), sourceLocation: sourceLocation)
}

/// Fails unless every element lies within `tolerance` times the largest expected one (or `floor`).
func check(
  _ actual: [Float], _ expected: [Double], within tolerance: Double, floor: Double = 0.1,
  _ label: @autoclosure () -> String, sourceLocation: SourceLocation = #_sourceLocation
) {
  let scale = expected.reduce(floor) { max($0, abs($1)) }
  let comparison = Comparison(actual.doubles, expected)
  guard !comparison.matches(absolute: tolerance * scale) else { return }
  Issue.record("\(label()): \(comparison), allowed \(tolerance * scale)", sourceLocation: sourceLocation)
}
