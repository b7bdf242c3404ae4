import Alignment
import Foundation
import Kernels
import TestSupport
import Testing

struct MemoryPlanTests {
  /// 1,100 KB before the first story, 100 KB for each, and 10 rows of 4 KB.
  private let needs = MemoryPlan.Needs(
    taken: 500_000, fixed: 400_000, prompt: 200_000, story: 100_000, rowsPerStory: 10, row: 4_000)

  private func plan(
    _ needs: MemoryPlan.Needs? = nil, stories: Int = 8, partSize: Int? = nil, kilobytes: Int?
  ) throws -> MemoryPlan {
    let budget = try kilobytes.map { try #require(MemorySize("\($0)KB")) }
    return try MemoryPlan(
      needs ?? self.needs, stories: stories, partSize: partSize, budget: budget,
      limit: MemoryLimit(physicalMemory: 8 << 30, root: "/nowhere"))
  }

  @Test func `without a budget all stories are computed at once, and caches have their limit`() throws {
    let plan = try plan(kilobytes: nil)
    #expect(plan.partSize == 8 && plan.keptLogitRows == 80)
    #expect(plan.referenceCacheRows == MemoryPlan.defaultCacheBytes / 4_000)
    // Rows so large that not all of them fit the limit.
    var needs = needs
    needs.row = 10 << 20
    #expect(try self.plan(needs, kilobytes: nil).keptLogitRows == MemoryPlan.defaultCacheBytes / needs.row)
    #expect(try self.plan(needs, kilobytes: nil).referenceCacheRows == MemoryPlan.defaultCacheBytes / needs.row)
    // Stories that do not fit this computer are computed one at a time: there is no budget to refuse them by.
    needs.story = 1 << 50
    #expect(try self.plan(needs, kilobytes: nil).partSize == 1)
  }

  @Test func `in a container its limit takes the place of the computer's memory, and too little is refused`() throws {
    func plan(_ mebibytes: Int, _ needs: MemoryPlan.Needs) throws -> MemoryPlan {
      try withTemporaryFolder { root in
        for (name, text) in [
          ("proc/self/cgroup", "0::/\n"),
          ("proc/self/mountinfo", "30 24 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
          ("sys/fs/cgroup/memory.max", "\(mebibytes << 20)\n"),
        ] {
          let file = root.appending(path: name)
          try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
          try Data(text.utf8).write(to: file)
        }
        return try MemoryPlan(
          needs, stories: 8, partSize: nil, budget: nil, limit: MemoryLimit(physicalMemory: 1 << 50, root: root.path))
      }
    }
    let needs = MemoryPlan.Needs(
      taken: 50 << 20, fixed: 50 << 20, prompt: 0, story: 100 << 20, rowsPerStory: 1, row: 4_000)
    // Three quarters of it: 100 MiB are needed before the first story.
    #expect(try plan(2_048, needs).partSize == 8)
    #expect(try plan(800, needs).partSize == 5)
    #expect(try plan(201, needs).partSize == 1)
    #expect { try plan(199, needs) } throws: { error in
      "\(error)".contains("container or session (199 MiB, /sys/fs/cgroup/memory.max)")
        && "\(error)".contains("needs 200 MiB")
    }
  }

  @Test func `an ample budget keeps all logits and gives the rest to the reference`() throws {
    let plan = try plan(kilobytes: 1_100 + 800 + 1_000)
    #expect(plan.partSize == 8 && plan.keptLogitRows == 80)
    // 1,000 KB less 80 rows of 4 KB.
    #expect(plan.referenceCacheRows == 170)
  }

  @Test func `a budget for all stories and little more shares the rest`() throws {
    let plan = try plan(kilobytes: 1_100 + 800 + 100)
    #expect(plan.partSize == 8 && plan.keptLogitRows == 12 && plan.referenceCacheRows == 13)
    #expect(try self.plan(kilobytes: 1_900).keptLogitRows == 0)
    #expect(try self.plan(kilobytes: 1_900).referenceCacheRows == 0)
    #expect(try self.plan(kilobytes: 1_900).partSize == 8)
  }

  @Test func `a tight budget computes stories in parts and keeps none of their logits`() throws {
    for (kilobytes, partSize, rows) in [(1_899, 7, 24), (1_500, 4, 0), (1_450, 3, 12), (1_299, 1, 24), (1_200, 1, 0)] {
      let plan = try plan(kilobytes: kilobytes)
      #expect(plan.partSize == partSize, "\(kilobytes) KB")
      #expect(plan.keptLogitRows == 0, "\(kilobytes) KB")
      #expect(plan.referenceCacheRows == rows, "\(kilobytes) KB")
    }
  }

  @Test func `the user's parts are taken where they fit`() throws {
    #expect(try plan(partSize: 3, kilobytes: nil).partSize == 3)
    #expect(try plan(partSize: 3, kilobytes: nil).keptLogitRows == 0)
    #expect(try plan(partSize: 100, kilobytes: nil).partSize == 8)
    #expect(try plan(partSize: 3, kilobytes: 1_250).partSize == 1)
    let parts = try plan(partSize: 3, kilobytes: 2_000)
    // What five stories fewer take is the cache's.
    #expect(parts.partSize == 3 && parts.keptLogitRows == 0 && parts.referenceCacheRows == 150)
    #expect(try plan(partSize: 8, kilobytes: 4_000).keptLogitRows == 80)
  }

  @Test func `too little names the flag, the budget and what is needed`() throws {
    var needs = needs
    needs.story = 40 << 20
    let budget = try #require(MemorySize("40 MB"))
    let error = #expect(throws: AlignmentError.self) {
      try MemoryPlan(needs, stories: 8, partSize: nil, budget: budget)
    }
    #expect(
      error?.description
        == "--memory is 40 MB, too little for this model: a single story at a time needs 41 MiB")
    #expect(throws: AlignmentError.self) { try plan(kilobytes: 1_199) }
    #expect(throws: AlignmentError.self) { try plan(partSize: 1, kilobytes: 1) }
    // The process itself may have taken more than the budget.
    #expect(throws: AlignmentError.self) { try plan(kilobytes: 300) }
  }

  @Test func `whatever the needs, a budget is kept`() throws {
    let random = KeyedRandom(seed: 5)
    var refused = 0
    var inParts = 0
    var keeping = 0
    for number in 0..<20_000 {
      let numbers = random.keyed(number)
      func draw(_ index: Int, _ most: Double) -> Int { Int(exp(numbers.keyed(index).uniform * log(most))) }
      let needs = MemoryPlan.Needs(
        taken: draw(0, 1e9), fixed: draw(1, 1e9), prompt: draw(2, 1e8), story: draw(3, 1e8),
        rowsPerStory: draw(4, 1e3), row: draw(5, 1e6))
      let stories = draw(6, 1e4)
      let partSize = number % 3 == 0 ? draw(7, 1e4) : nil
      let kilobytes = max(1, draw(8, 1e7))
      let budget = kilobytes * 1_000
      let least = needs.taken + needs.fixed + needs.prompt + needs.story
      guard let plan = try? plan(needs, stories: stories, partSize: partSize, kilobytes: kilobytes) else {
        #expect(least > budget, "\(needs) fit \(budget)")
        refused += 1
        continue
      }
      let used =
        needs.taken + needs.fixed + needs.prompt + plan.partSize * needs.story
        + (plan.keptLogitRows + plan.referenceCacheRows) * needs.row
      #expect(least <= budget && used <= budget, "\(plan) of \(needs) needs \(used) of \(budget)")
      #expect((1...min(stories, partSize ?? stories)).contains(plan.partSize))
      #expect((0...stories * needs.rowsPerStory).contains(plan.keptLogitRows) && plan.referenceCacheRows >= 0)
      if plan.partSize < stories { #expect(plan.keptLogitRows == 0) }
      // One story more, or one row more, would be too much.
      if plan.partSize < min(stories, partSize ?? stories) { #expect(used + needs.story > budget) }
      #expect(used + needs.row > budget)
      inParts += plan.partSize < stories ? 1 : 0
      keeping += plan.keptLogitRows > 0 ? 1 : 0
    }
    #expect(refused > 1_000 && inParts > 1_000 && keeping > 1_000, "\(refused), \(inParts), \(keeping)")
  }

  @Test func `each prompt that a part's stories may begin with has its place`() throws {
    // 900 KB before the first prompt, 200 KB for each prompt, 100 KB for each story.
    var needs = needs
    needs.groupSize = 4
    // Three groups of four; where a part begins in a group, five stories in a row can belong to two groups, six to three.
    for (kilobytes, partSize) in [
      (1_200, 1), (1_499, 1), (1_500, 2), (1_699, 4 - 1), (1_700, 4), (1_800, 5), (2_099, 5), (2_100, 6), (2_699, 11),
      (2_700, 12), (9_000, 12),
    ] {
      let plan = try plan(needs, stories: 12, kilobytes: kilobytes)
      #expect(plan.partSize == partSize, "\(kilobytes) KB")
    }
    let error = #expect(throws: AlignmentError.self) { try plan(needs, stories: 12, kilobytes: 1_199) }
    #expect(error?.description.contains("a single story at a time needs") == true)
    // Groups of one: a prompt for each story.
    needs.groupSize = 1
    #expect(try plan(needs, stories: 12, kilobytes: 900 + 5 * 300).partSize == 5)
    #expect(try plan(needs, stories: 12, kilobytes: 900 + 12 * 300 + 80).keptLogitRows == 10)
  }
}
