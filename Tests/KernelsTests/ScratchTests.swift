import Dispatch
import Kernels
import Synchronization
import Testing

extension KernelTests {
  @Suite struct ScratchTests {
    private static let counts = [5, 0, 16, 17, 1_000, 1, 15, 40_000, 3, 300_000, 64]

    /// Borrows memory for each of `counts` inside the one before, fills it, and checks it when all inside is given back.
    ///
    /// Returns how many blocks were misaligned or had changed.
    private static func nest(_ counts: ArraySlice<Int>, mark: Float) -> Int {
      guard let count = counts.first else { return 0 }
      return withScratch(count) { memory in
        var faults = UInt(bitPattern: memory) % 64 == 0 ? 0 : 1
        memory.update(repeating: mark, count: count)
        faults += nest(counts.dropFirst(), mark: mark + 1)
        // A second one at the same depth takes the place of the first.
        faults += nest(counts.dropFirst(2).prefix(2), mark: mark + 100)
        return faults + ((0..<count).allSatisfy { memory[$0] == mark } ? 0 : 1)
      }
    }

    @Test func `blocks inside each other are aligned, and keep to themselves`() {
      for start in Self.counts.indices { #expect(Self.nest(Self.counts[start...], mark: 1) == 0) }
      #expect(Self.nest(Self.counts.reversed()[...], mark: 1) == 0)
    }

    @Test func `blocks inside each other do not overlap, empty ones included`() {
      var taken: [Range<UInt>] = []
      func nest(_ counts: ArraySlice<Int>) {
        guard let count = counts.first else { return }
        withScratch(count) { memory in
          let start = UInt(bitPattern: memory)
          taken.append(start..<start + UInt(max(1, count) * MemoryLayout<Float>.stride))
          nest(counts.dropFirst())
        }
      }
      nest(Self.counts[...])
      #expect(taken.count == Self.counts.count)
      for (index, range) in taken.enumerated() {
        for other in taken[..<index] { #expect(!range.overlaps(other)) }
      }
    }

    @Test func `demand may grow, and what was needed once is there in one piece from then on`() {
      for size in [16, 1_000, 50_000, 700_000] {
        var distances: [Int] = []
        for _ in 0..<3 {
          withScratch(size) { outer in
            outer.update(repeating: 1, count: size)
            withScratch(2 * size) { inner in
              inner.update(repeating: 2, count: 2 * size)
              distances.append(inner - outer)
            }
            #expect((0..<size).allSatisfy { outer[$0] == 1 })
          }
        }
        // Whole cache lines of 16 floats; the first time they may lie apart.
        let line = (size + 15) / 16 * 16
        #expect(distances.dropFirst().allSatisfy { $0 == line }, "\(size) floats: \(distances)")
      }
    }

    @Test func `results come out, from blocks inside blocks too`() {
      let sum = withScratch(3) { outer in
        for index in 0..<3 { outer[index] = Float(index) }
        return withScratch(0) { _ in
          withScratch(1) { inner in
            inner[0] = 40
            return inner[0] + outer[1] + outer[2]
          }
        }
      }
      #expect(sum == 43)
    }

    @Test func `threads do not see each other's memory`() {
      let faults = Mutex(0)
      DispatchQueue.concurrentPerform(iterations: 64) { index in
        let found = Self.nest(Self.counts[(index % 5)...], mark: Float(index * 1_000))
        faults.withLock { $0 += found }
      }
      #expect(faults.withLock { $0 } == 0)
    }
  }
}
