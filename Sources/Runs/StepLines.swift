import JSON

/// What the files of a run folder tell of steps, without reading more of their lines than that.
enum StepLines {
  /// The last step of the metrics, which must have a line for each step from 1 on that was not skipped.
  static func finishedSteps(in path: String, skipped: Set<Int>) throws -> Int {
    var last = 0
    func pass() { while skipped.contains(last + 1) { last += 1 } }
    try forEachStep(in: path) { step, number, _ in
      pass()
      guard step == last + 1 else {
        throw RunError.damaged(path: path, line: number, reason: "step \(step) follows step \(last)")
      }
      last = step
      return .go
    }
    pass()
    return last
  }

  /// The last of the first `finished` steps up to which every step that was not skipped has `count` samples: where the power was
  /// cut, metrics may be there without them.
  static func sampledSteps(in path: String, count: Int, skipped: Set<Int>, finished: Int) throws -> Int {
    let counts = try counts(in: path)
    return (0..<finished).first { !skipped.contains($0 + 1) && counts[$0 + 1] != count } ?? finished
  }

  /// How many lines a file has of each step.
  static func counts(in path: String) throws -> [Int: Int] {
    var counts: [Int: Int] = [:]
    try forEachStep(in: path) { step, _, _ in
      counts[step, default: 0] += 1
      return .go
    }
    return counts
  }

  /// How many bytes the lines take up to the first whose step is not kept.
  static func length(of path: String, where isKept: (Int) -> Bool) throws -> Int {
    var length = 0
    try forEachStep(in: path) { step, _, end in
      guard isKept(step) else { return .stop }
      length = end
      return .go
    }
    return length
  }

  /// Calls `body` with the step and the number of each whole line, and the byte after it.
  static func forEachStep(in path: String, _ body: (Int, Int, Int) throws -> LineFile.Next) throws {
    try LineFile(path: path).read { line, number, offset in
      do {
        return try body(try LineFile.step(of: line), number, offset + line.count + 1)
      } catch let problem as JSONError {
        throw RunError.damaged(path: path, line: number, reason: problem.description)
      }
    }
  }
}
