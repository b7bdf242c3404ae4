import Foundation
import Runs
import TestSupport
import Testing

/// Run folders as a power cut leaves them; `Scripts/faults/power-cut` finds such states, here they are made by hand.
@Suite("A run folder after a power cut") struct PowerCutTests {
  /// Writes so many steps of three samples and leaves the folder to others.
  private func writeRun(in folder: URL, steps: Int) throws {
    let writer = try RunWriter(folder: folder, manifest: plainManifest)
    for step in 1...steps {
      try writer.append(samples: (0..<3).map { sample(step: step, index: $0) })
      try writer.append(metrics: metrics(step: step))
    }
    try writer.sync()
    writer.close()
  }

  private func resumed(_ folder: URL) throws -> RunWriter {
    try RunWriter(resuming: folder, samplesPerStep: 3, following: (step: { _ in false }, isWhole: { _, _, _ in true }))
  }

  private func change(_ name: String, in folder: URL, _ body: (inout Data) -> Void) throws {
    let file = folder.appending(path: name)
    var data = try Data(contentsOf: file)
    body(&data)
    try data.write(to: file)
  }

  @Test func `metrics whose samples were lost are of no finished step`() throws {
    try withTemporaryFolder { parent in
      // From all samples of four steps to none, the last line torn.
      for (lines, finished) in [(12, 4), (11, 3), (9, 3), (4, 1), (0, 0)] {
        let folder = parent.appending(path: "\(lines)")
        try writeRun(in: folder, steps: 4)
        try change("samples.jsonl", in: folder) { data in
          let ends = data.indices.filter { data[$0] == 0x0A }
          data = data.prefix(lines == 0 ? 0 : ends[lines - 1] + 1) + (lines < 12 ? Data("{\"step\":".utf8) : Data())
        }
        let writer = try resumed(folder)
        #expect(writer.finishedSteps == finished && writer.manifest.completedSteps == finished)
        #expect(try RunReader(folder: folder).metrics().map(\.step) == Array(Array(1...4).prefix(finished)))
        #expect(try RunReader(folder: folder).samples(steps: 1...4).count == 3 * finished)
      }
    }
  }

  @Test(arguments: ["metrics.jsonl", "samples.jsonl"])
  func `lines end where bytes did not reach the disk`(name: String) throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      try writeRun(in: folder, steps: 4)
      // A hole in the third step's lines; what follows is there.
      try change(name, in: folder) { data in
        let ends = data.indices.filter { data[$0] == 0x0A }
        let line = name == "metrics.jsonl" ? 2 : 7
        data.resetBytes(in: ends[line - 1] + 5..<ends[line] - 5)
      }
      let reader = try RunReader(folder: folder)
      #expect(try reader.metrics().count == (name == "metrics.jsonl" ? 2 : 4))
      #expect(try reader.samples(steps: 1...4).count == (name == "metrics.jsonl" ? 12 : 7))
      let writer = try resumed(folder)
      #expect(writer.finishedSteps == 2)
      try writer.append(samples: (0..<3).map { sample(step: 3, index: $0) })
      try writer.append(metrics: metrics(step: 3))
      #expect(try reader.metrics().map(\.step) == [1, 2, 3] && reader.samples(steps: 1...4).count == 9)
    }
  }

  @Test func `a run begins where an earlier one had not begun yet`() throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try Data("{".utf8).write(to: folder.appending(path: ".tinyalign-run.json.tmp"))
      try writeRun(in: folder, steps: 1)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).allSatisfy { !$0.hasPrefix(".") })
      #expect(throws: RunError.folderNotEmpty(path: folder.path)) { try writeRun(in: folder, steps: 1) }
    }
  }

  @Test func `the lock tells whether a run is being written`() throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      #expect(RunFolder.isBeingWritten(folder) == nil)
      let writer = try RunWriter(folder: folder, manifest: plainManifest)
      #expect(RunFolder.isBeingWritten(folder) == true)
      // Who asks keeps nobody off.
      #expect(throws: RunError.inUse(path: folder.path)) { try resumed(folder) }
      writer.close()
      #expect(RunFolder.isBeingWritten(folder) == false)
      #expect(try resumed(folder).manifest.status == .running)
    }
  }
}
