import Foundation
import TestSupport
import Testing

@Suite("Comparison") struct ComparisonTests {
  /// [3, 4], with no symmetry that a transposition or a change of sign would keep.
  private let expected: [Float] = [1, -2, 3, 0.5, -0.25, 4, 7, -1.5, 2, 0.125, 6, -5]
  private var transposed: [Float] { (0..<12).map { expected[($0 % 3) * 4 + $0 / 3] } }

  private func passes(_ actual: [Float], _ expected: [Float]) -> Bool {
    let comparison = Comparison(actual, expected)
    // Each bound alone must refuse what is wrong.
    let both = [
      comparison.matches(absolute: 0.1), comparison.matches(relative: 0.01),
      comparison.matches(absolute: 0.1, relative: 0.01),
    ]
    #expect(Set(both).count == 1, "the two bounds disagree about \(actual)")
    return both.contains(true)
  }

  @Test func `the same numbers match, exactly or nearly`() {
    #expect(passes(expected, expected))
    #expect(passes(expected.map { $0 * 1.000_1 }, expected))
    let comparison = Comparison(expected, expected)
    #expect(comparison.matches(absolute: 0, relative: 0))
    #expect(comparison.worstAbsoluteError == 0 && comparison.relativeError == 0 && comparison.problem == nil)
  }

  @Test func `a transposed array is rejected`() {
    #expect(!passes(transposed, expected))
  }

  @Test func `a change of sign is rejected, of all elements or of one`() {
    #expect(!passes(expected.map { -$0 }, expected))
    for index in expected.indices {
      var flipped = expected
      flipped[index].negate()
      #expect(!passes(flipped, expected))
    }
  }

  @Test func `zeros are rejected where there were numbers, and numbers where there were zeros`() {
    let zeros = [Float](repeating: 0, count: 12)
    #expect(!passes(zeros, expected))
    #expect(!passes(expected, zeros))
    #expect(passes(zeros, zeros))
    #expect(Comparison(expected, zeros).relativeError == .infinity)
  }

  @Test(arguments: [Float.nan, .signalingNaN, .infinity, -.infinity])
  func `a number that is not finite is rejected on either side, even on both`(value: Float) {
    for index in expected.indices {
      var broken = expected
      broken[index] = value
      #expect(!passes(broken, expected))
      #expect(!passes(expected, broken))
      #expect(!passes(broken, broken))
      #expect(!Comparison(broken, broken).matches(absolute: .greatestFiniteMagnitude))
    }
  }

  @Test func `empty, shorter and longer arrays are rejected`() {
    #expect(!passes([], []))
    #expect(!passes([], expected))
    #expect(!passes(expected, []))
    #expect(!passes(Array(expected.dropLast()), expected))
    #expect(!passes(expected + [0], expected))
    #expect(!Comparison([Float](), []).matches(absolute: .greatestFiniteMagnitude))
    #expect(!Comparison([Float](), []).matches(relative: .greatestFiniteMagnitude))
  }

  @Test func `the worst element is named with its error`() {
    var off = expected
    off[3] += 0.25
    off[7] -= 0.5
    let comparison = Comparison(off, expected)
    #expect(comparison.worstIndex == 7)
    #expect(comparison.worstAbsoluteError == 0.5)
    let norm = expected.map { Double($0 * $0) }.reduce(0, +).squareRoot()
    let difference = (0.25 * 0.25 + 0.5 * 0.5).squareRoot()
    #expect(abs(comparison.relativeError - difference / norm) < 1e-12)
    #expect(comparison.matches(absolute: 0.5) && !comparison.matches(absolute: 0.499))
    #expect(comparison.description.contains("0.5 at 7"))
  }

  @Test func `both bounds must hold where both are given`() {
    let comparison = Comparison([1.0, 100.5], [1.0, 100.0])
    #expect(comparison.matches(relative: 0.01))
    #expect(!comparison.matches(absolute: 0.1, relative: 0.01))
    #expect(comparison.matches(absolute: 1))
    #expect(!comparison.matches(absolute: 1, relative: 0.001))
  }
}
