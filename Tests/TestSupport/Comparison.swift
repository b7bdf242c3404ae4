import Foundation

/// How far two arrays of numbers are apart, element by element.
///
/// An empty comparison, a length mismatch or a non-finite number never passes: ``matches`` is then false.
public struct Comparison: Sendable, CustomStringConvertible {
  /// The largest |actual - expected|; infinite where a comparison was impossible.
  public let worstAbsoluteError: Double
  /// ‖actual - expected‖ / ‖expected‖; infinite where a comparison was impossible or `expected` is all zero and `actual` is not.
  public let relativeError: Double
  /// The index of the worst element, where there is one.
  public let worstIndex: Int?
  /// What made the comparison impossible, if anything did.
  public let problem: String?

  /// Compares `actual` with `expected`.
  public init<Number: BinaryFloatingPoint>(_ actual: [Number], _ expected: [Number]) {
    var problem: String?
    if expected.isEmpty { problem = "nothing to compare" }
    if actual.count != expected.count { problem = "\(actual.count) numbers where \(expected.count) were expected" }
    var worst = 0.0
    var worstIndex: Int?
    var difference = 0.0
    var norm = 0.0
    for (index, (a, e)) in zip(actual, expected).enumerated() {
      guard a.isFinite, e.isFinite else {
        problem = "number \(index) is not finite"
        break
      }
      let error = abs(Double(a) - Double(e))
      if error >= worst { (worst, worstIndex) = (error, index) }
      difference += error * error
      norm += Double(e) * Double(e)
    }
    self.problem = problem
    self.worstIndex = problem == nil ? worstIndex : nil
    worstAbsoluteError = problem == nil ? worst : .infinity
    if problem != nil {
      relativeError = .infinity
    } else if norm == 0 {
      relativeError = difference == 0 ? 0 : .infinity
    } else {
      relativeError = (difference / norm).squareRoot()
    }
  }

  /// Whether every element lies within `absolute` and the whole within `relative` of what was expected.
  public func matches(absolute: Double = .infinity, relative: Double = .infinity) -> Bool {
    precondition(absolute.isFinite || relative.isFinite, "a comparison needs a bound")
    return problem == nil && worstAbsoluteError <= absolute && relativeError <= relative
  }

  /// What a failing test prints.
  public var description: String {
    problem ?? "worst error \(worstAbsoluteError) at \(worstIndex ?? -1), relative error of the whole \(relativeError)"
  }
}
