import Alignment
import Foundation
import Runs
import Testing

extension AlignmentRunTests {
  @Test func `a step tells how far it is, part by part, and leaves nothing of it behind`() throws {
    try withModels { folder in
      let recipe = try recipe(in: folder) {
        $0.steps = 2
        $0.samples = 8
        $0.microBatch = 4
      }
      let out = folder.appending(path: "out")
      var seen: [RunProgress] = []
      var files: Set<Bool> = []
      _ = try AlignmentRun(recipe: recipe).run(
        in: out, progressInterval: 0,
        progress: { progress in
          seen.append(progress)
          files.insert(FileManager.default.fileExists(atPath: out.appending(path: RunFolder.progress).path))
        }, report: { _, _ in }, shouldStop: { false })
      #expect(seen.first == RunProgress(step: 0, phase: .following))
      #expect(files == [true])
      for step in 1...2 {
        let own = seen.filter { $0.step == step && $0.phase != .following }
        let generated = own.prefix { $0.phase == .generating }
        #expect(!generated.isEmpty && generated.allSatisfy { $0.total == 2 * recipe.maxNewTokens })
        #expect(generated.map(\.done) == generated.map(\.done).sorted())
        #expect(
          own.dropFirst(generated.count) == [
            RunProgress(step: step, phase: .scoring), RunProgress(step: step, phase: .updating, done: 1, total: 2),
            RunProgress(step: step, phase: .updating, done: 2, total: 2),
          ])
      }
      #expect(!FileManager.default.fileExists(atPath: out.appending(path: RunFolder.progress).path))
    }
  }
}
