/// Parents of each node of forests that meet every path through tree attention.
enum Trees {
  /// A sequence: one run.
  static func chain(_ count: Int) -> [Int] { (0..<count).map { $0 - 1 } }

  /// Each node's parent any earlier one, or none: all scattered.
  static func random(_ count: Int, seed: Int) -> [Int] {
    var random = TestRandom(seed)
    return (0..<count).map { random.int(-1..<$0) }
  }

  /// Stretches of 1 to 30 nodes hanging off any earlier node: runs, and scattered nodes between them.
  static func stretches(_ count: Int, seed: Int) -> [Int] {
    var random = TestRandom(seed)
    var parents: [Int] = []
    while parents.count < count {
      parents.append(random.int(-1..<parents.count))
      for _ in 0..<random.int(0..<30) { parents.append(parents.count - 1) }
    }
    return Array(parents.prefix(count))
  }

  /// Stretches of just below, at and just above the shortest chain of 12, as roots and as branches.
  static func thresholds() -> [Int] {
    var parents: [Int] = []
    for length in [11, 12, 13, 1, 12, 2, 11, 25] {
      parents.append(length % 2 == 0 ? -1 : parents.count / 2 - 1)
      for _ in 1..<length { parents.append(parents.count - 1) }
    }
    return parents
  }

  /// A prompt of 20 nodes, three levels of branches, and a continuation of 40 nodes below every third leaf:
  /// chains whose ancestors lie apart, as a roll-out leaves them. The last is longer than a block of 64.
  static func rollout() -> [Int] {
    var parents = chain(20)
    var level = [19]
    for _ in 0..<3 {
      var next: [Int] = []
      for parent in level {
        for _ in 0..<2 {
          next.append(parents.count)
          parents.append(parent)
        }
      }
      level = next
    }
    for (index, leaf) in level.enumerated() where index % 3 == 0 {
      parents.append(leaf)
      for _ in 1..<(index == 6 ? 100 : 40) { parents.append(parents.count - 1) }
    }
    return parents
  }

  /// A prompt of 9 nodes and stories below it of 11, 12, 13, 40 and 130 nodes, all grown a level at a time, as a
  /// roll-out of long stories does: paths whose nodes lie apart until only one story is left. From the middle of the
  /// fourth another one branches off.
  static func longStories() -> [Int] {
    var parents = chain(9)
    var ends = [Int](repeating: 8, count: 5)
    var lengths = [11, 12, 13, 40, 130]
    for level in 0..<130 {
      if level == 20 {
        ends.append(ends[3])
        lengths.append(50)
      }
      for story in ends.indices where level < lengths[story] {
        parents.append(ends[story])
        ends[story] = parents.count - 1
      }
    }
    return parents
  }

  /// The nodes of each level of a forest whose nodes lie level by level.
  static func levels(_ parents: [Int]) -> [Range<Int>] {
    var depths: [Int] = []
    for parent in parents { depths.append(parent < 0 ? 0 : depths[parent] + 1) }
    var levels: [Range<Int>] = []
    for (node, depth) in depths.enumerated() {
      if depth < levels.count {
        levels[depth] = levels[depth].lowerBound..<node + 1
      } else {
        levels.append(node..<node + 1)
      }
    }
    return levels
  }

  static let named: [(name: String, parents: [Int])] = [
    ("one node", chain(1)), ("a chain of 11", chain(11)), ("a chain of 12", chain(12)),
    ("a chain of 65", chain(65)), ("a chain of 150", chain(150)),
    ("two sequences", chain(30) + [-1] + (31..<70).map { $0 - 1 }),
    ("random parents", random(60, seed: 1)), ("stretches", stretches(160, seed: 2)),
    ("thresholds", thresholds()), ("a roll-out", rollout()),
    ("long stories", longStories()),
  ]
}
