import Kernels
import Synchronization
import TestSupport
import Testing

extension KernelTests {
  @Suite struct ParallelTests {
    @Test func `every index is handed out exactly once, in parts that are few and long enough`() {
      withThreadCounts([1, 2, 3, 7, 16]) { threads in
        for count in Array(0...40) + [63, 64, 65, 1_000] {
          for minimumChunk in [-1, 0, 1, 2, 3, 5, 8, 17, 100, 5_000] {
            let parts = Mutex<[Range<Int>]>([])
            parallel(count, minimumChunk: minimumChunk) { part in parts.withLock { $0.append(part) } }
            let sorted = parts.withLock { $0 }.sorted { $0.lowerBound < $1.lowerBound }
            let label = "\(count) by \(minimumChunk) on \(threads) threads: \(sorted)"
            #expect(sorted.flatMap { Array($0) } == Array(0..<count), "\(label)")
            #expect(sorted.count <= threads, "\(label)")
            #expect(sorted.count < 2 || sorted.allSatisfy { $0.count >= max(1, minimumChunk) }, "\(label)")
          }
        }
      }
    }

    @Test func `work inside work is done too`() {
      withThreadCounts([1, 2, 3]) { _ in
        let total = Mutex(0)
        parallel(20) { outer in
          for _ in outer { parallel(30) { inner in total.withLock { $0 += inner.count } } }
        }
        #expect(total.withLock { $0 } == 600)
      }
    }

    @Test func `there is always at least one thread`() {
      withThreadCounts([0, -5]) { _ in #expect(Threads.count == 1) }
      withThreadCounts([3]) { _ in #expect(Threads.count == 3) }
    }

    @Test func `a buffer starts at zero or as its values, aligned, and can be cleared and copied`() {
      let zeros = FloatBuffer(count: 100_003)
      #expect(zeros.count == 100_003 && zeros.array == [Float](repeating: 0, count: 100_003))
      #expect(UInt(bitPattern: zeros.pointer) % 64 == 0)
      var random = TestRandom(1)
      let values = random.floats(200_001)
      withThreadCounts { _ in
        let buffer = FloatBuffer(values)
        #expect(buffer.array == values && Array(buffer.elements) == values)
        let copy = FloatBuffer(count: values.count, isZeroed: false)
        copy.copy(from: buffer)
        #expect(copy.array == values)
        buffer.zero()
        #expect(buffer.array == [Float](repeating: 0, count: values.count))
        #expect(copy.array == values)
      }
      let empty = FloatBuffer(count: 0)
      empty.zero()
      #expect(empty.array.isEmpty && FloatBuffer([]).array.isEmpty)
    }
  }
}
