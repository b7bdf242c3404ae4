import Alignment
import Foundation
import Kernels
import Runs
import TestSupport
import Testing
import Transformers

extension AlignmentRunTests {
  @Test(arguments: [Recipe.AdapterSaving.merged, .adapter])
  func `a run with a low-rank adapter leaves the model, and keeps what it learned`(saving: Recipe.AdapterSaving) throws
  {
    try withModels { folder in
      let recipe = try recipe(in: folder) {
        $0.loraRank = 2
        $0.loraSaving = saving
        $0.learningRate = 0.05
      }
      let run = try AlignmentRun(recipe: recipe)
      let before = run.model.model.parameters.array
      let out = folder.appending(path: "run")
      _ = try run.run(in: out, report: { _, _ in }, shouldStop: { false })
      #expect(run.model.model.parameters.array == before)
      let checkpoint = out.appending(path: "checkpoints/step-000003")
      let files = try FileManager.default.contentsOfDirectory(atPath: checkpoint.path)
      #expect(files.contains("adapter_model.safetensors") == (saving == .adapter))
      #expect(files.contains("model.safetensors") == (saving == .merged))
      let loaded = try TextModel(named: checkpoint.path)
      let comparison = Comparison(loaded.model.parameters.array, run.model.model.merged().parameters.array)
      #expect(comparison.matches(absolute: 1e-6), "\(comparison)")
      #expect(loaded.model.parameters.array != before)
      // KL is measured to the model without the adapter.
      let metrics = try RunReader(folder: out).metrics()
      #expect(metrics[0].klForward == 0 && metrics[2].klForward > 1e-4)
    }
  }
}
