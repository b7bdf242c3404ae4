import TestSupport
import Testing

@Suite struct MutationTests {
  private let sound = (0..<100).map { UInt8($0) }

  private func mutations(seed: UInt64, rounds: Int = 2000) -> [[UInt8]] {
    var found: [[UInt8]] = []
    forEachMutation(of: sound, rounds: rounds, seed: seed) { found.append($0) }
    return found
  }

  @Test func `the same seed makes the same files, another makes others`() {
    #expect(mutations(seed: 1) == mutations(seed: 1))
    #expect(mutations(seed: 1) != mutations(seed: 2))
  }

  @Test func `nearly all files differ from the sound one and from each other`() {
    let found = mutations(seed: 3)
    #expect(found.count == 2000)
    #expect(found.count { $0 == sound } < 100)
    #expect(Set(found).count > 1500)
    #expect(found.contains { $0.count < 60 } && found.contains { $0.count > 110 })
    #expect(found.allSatisfy { $0.count <= 1224 })
    // Every byte is changed sooner or later.
    for index in sound.indices { #expect(found.contains { $0.count == 100 && $0[index] != sound[index] }, "\(index)") }
  }

  @Test func `an empty file grows`() {
    var longest = 0
    forEachMutation(of: [], rounds: 200, seed: 4) { longest = max(longest, $0.count) }
    #expect(longest > 10)
  }

  @Test func `a failure says which round it was`() throws {
    struct Stop: Error {}
    var count = 0
    let error = #expect(throws: MutationFailure.self) {
      try forEachMutation(of: sound, rounds: 10, seed: 5) { _ in
        count += 1
        if count == 4 { throw Stop() }
      }
    }
    #expect(error?.round == 3 && error?.error is Stop)
  }
}
