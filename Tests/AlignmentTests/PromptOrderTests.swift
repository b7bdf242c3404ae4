import Alignment
import Testing

struct PromptOrderTests {
  /// What the first `steps` steps take.
  private func taken(_ promptCount: Int, perStep: Int, seed: UInt64 = 1, steps: Int) -> [Int] {
    var order = PromptOrder(promptCount: promptCount, perStep: perStep, seed: seed)
    return (1...steps).flatMap { order.prompts(ofStep: $0) }
  }

  @Test(arguments: [(7, 3), (7, 7), (3, 8), (1, 4), (10, 1)])
  func `every prompt is taken once before any is taken again`(promptCount: Int, perStep: Int) {
    let all = taken(promptCount, perStep: perStep, steps: 5 * promptCount)
    #expect(all.count == 5 * promptCount * perStep)
    for start in stride(from: 0, to: all.count, by: promptCount) {
      #expect(all[start..<start + promptCount].sorted() == Array(0..<promptCount))
    }
  }

  @Test func `a step's prompts depend on the seed and the step alone`() {
    var order = PromptOrder(promptCount: 11, perStep: 4, seed: 5)
    let forward = (1...30).map { order.prompts(ofStep: $0) }
    let backward = (1...30).reversed().map { order.prompts(ofStep: $0) }
    #expect(Array(backward.reversed()) == forward)
    var other = PromptOrder(promptCount: 11, perStep: 4, seed: 6)
    #expect((1...30).map { other.prompts(ofStep: $0) } != forward)
  }

  @Test func `passes have different orders`() {
    let passes = (0..<20).map { pass in Array(taken(12, perStep: 12, steps: 20)[pass * 12..<pass * 12 + 12]) }
    #expect(Set(passes).count == 20)
    // Each prompt comes first in some pass of many.
    let first = Set((0..<200).map { pass in taken(5, perStep: 5, steps: 200)[pass * 5] })
    #expect(first == Set(0..<5))
  }
}
