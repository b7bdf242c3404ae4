import Foundation
import Runs
import TestSupport
import Testing

private func text(_ file: String, in folder: URL) throws -> String {
  String(decoding: try Data(contentsOf: folder.appending(path: file)), as: UTF8.self)
}

private func append(_ more: String, to file: String, in folder: URL) throws {
  let url = folder.appending(path: file)
  try (Data(contentsOf: url) + Data(more.utf8)).write(to: url)
}

private func writeRun(in folder: URL, steps: ClosedRange<Int>, samples count: Int = 3) throws -> RunWriter {
  let writer = try RunWriter(folder: folder, manifest: plainManifest)
  for step in steps {
    try writer.append(samples: (0..<count).map { sample(step: step, index: $0) })
    try writer.append(metrics: metrics(step: step))
  }
  return writer
}

@Suite("A run folder") struct RunFolderTests {
  @Test func `what was written is read back`() throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "deep/run")
      let writer = try writeRun(in: folder, steps: 1...4)
      #expect(try RunReader(folder: folder).manifest.status == .running)
      let stories = [0, 1, 4].map { step in (0..<2).map { followedStory(step: step, index: $0) } }
      let trees = [0, 4].map { storyTree(step: $0) }
      for step in stories { try writer.append(followedStories: step) }
      for tree in trees { try writer.append(storyTrees: [tree]) }
      try writer.update(status: .finished)
      writer.close()
      let reader = try RunReader(folder: folder)
      var expected = plainManifest
      expected.completedSteps = 4
      expected.status = .finished
      #expect(reader.manifest == expected)
      #expect(try reader.metrics() == (1...4).map(metrics(step:)))
      #expect(
        try reader.samples(steps: 2...3) == [2, 3].flatMap { step in (0..<3).map { sample(step: step, index: $0) } })
      #expect(try reader.followedStories().stories == stories.flatMap(\.self))
      #expect(try reader.storyTrees().trees == trees)
      #expect(
        try reader.storyPairs()
          == (0..<2).map { index in
            StoryPair(
              index: index, prompt: "p", before: "told at 0", after: "told at 4", rewardBefore: 0, rewardAfter: 4)
          })
      var count = 0
      try reader.forEachSample { _ in count += 1 }
      #expect(count == 12)
      #expect(throws: RunError.closed(path: folder.path)) { try writer.append(metrics: metrics(step: 5)) }
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == [
          "followed_stories.jsonl", "metrics.jsonl", "run.json", "samples.jsonl", "story_trees.jsonl",
        ])
    }
  }

  @Test func `a folder that holds something is refused with what to do`() throws {
    try withTemporaryFolder { folder in
      try Data("x".utf8).write(to: folder.appending(path: "note"))
      #expect(throws: RunError.folderNotEmpty(path: folder.path)) {
        try RunWriter(folder: folder, manifest: plainManifest)
      }
      #expect("\(RunError.folderNotEmpty(path: "runs/a"))".contains("resume"))
      #expect(try text("note", in: folder) == "x")
    }
  }

  @Test func `a folder that cannot be made is refused with its reason`() throws {
    try withTemporaryFolder { parent in
      let file = parent.appending(path: "file")
      try Data("x".utf8).write(to: file)
      for folder in [file, file.appending(path: "run"), URL(filePath: "/proc/tinyalign-run")] {
        #expect {
          try RunWriter(folder: folder, manifest: plainManifest)
        } throws: { error in
          guard case .cannotWrite(let path, let reason) = error as? RunError else { return false }
          return path.hasPrefix(folder.path) && !reason.isEmpty && !"\(error)".contains("\n")
        }
      }
    }
  }

  @Test func `a folder without run json is no run`() throws {
    try withTemporaryFolder { folder in
      #expect(throws: RunError.notARun(path: folder.path)) { try RunReader(folder: folder) }
      try Data("{\"schema_version\":1".utf8).write(to: folder.appending(path: "run.json"))
      #expect(throws: RunError.self) { try RunReader(folder: folder) }
    }
  }

  @Test(arguments: ["{", "{\"step\":5,\"index\":0,\"pro", "garbage"])
  func `a last line that was torn off is dropped`(_ torn: String) throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      try writeRun(in: folder, steps: 1...4).close()
      try append(torn, to: "metrics.jsonl", in: folder)
      try append(torn, to: "samples.jsonl", in: folder)
      let reader = try RunReader(folder: folder)
      #expect(try reader.metrics().map(\.step) == [1, 2, 3, 4])
      #expect(try reader.samples(steps: 1...9).count == 12)
    }
  }

  @Test func `a folder of an older version is read, and can be taken up`() throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      try writeRun(in: folder, steps: 1...2).close()
      for name in ["followed_stories.jsonl", "story_trees.jsonl"] {
        try FileManager.default.removeItem(at: folder.appending(path: name))
      }
      let pair = #"{"index":0,"prompt":"p","before":"b","after":"a","reward_before":0.5,"reward_after":1}"#
      try Data((pair + "\n").utf8).write(to: folder.appending(path: "before_after.jsonl"))
      let manifest = try text("run.json", in: folder).replacing(#/ *"prompt_file": null,\n/#, with: "")
      #expect(!manifest.contains("prompt_file"))
      try Data(manifest.utf8).write(to: folder.appending(path: "run.json"))
      let reader = try RunReader(folder: folder)
      #expect(
        try reader.storyPairs() == [
          StoryPair(index: 0, prompt: "p", before: "b", after: "a", rewardBefore: 0.5, rewardAfter: 1)
        ])
      let (stories, trees) = (try reader.followedStories().stories, try reader.storyTrees().trees)
      #expect(stories.isEmpty && trees.isEmpty)
      let writer = try resumed(folder)
      #expect(writer.finishedSteps == 2 && writer.followedSteps.isEmpty)
    }
  }

  @Test func `a damaged line inside is named by file and number`() throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      try writeRun(in: folder, steps: 1...1).close()
      try append("nonsense\n", to: "metrics.jsonl", in: folder)
      try append("{\"step\":1}\n", to: "samples.jsonl", in: folder)
      let reader = try RunReader(folder: folder)
      #expect { try reader.metrics() } throws: { "\($0)".contains("metrics.jsonl, line 2: ") }
      #expect { try reader.samples(steps: [1]) } throws: { "\($0)".contains("samples.jsonl, line 4: ") }
    }
  }

  @Test func `nothing is written of a step with a number that is not finite`() throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      let writer = try writeRun(in: folder, steps: 1...1)
      let before = try text("samples.jsonl", in: folder)
      #expect(throws: RunError.notFinite(field: "reward of sample 1", step: 2)) {
        try writer.append(samples: [sample(step: 2, index: 0), sample(step: 2, index: 1, reward: .nan)])
      }
      #expect(try text("samples.jsonl", in: folder) == before)
    }
  }

  @Test func `a resumed run is the run that was never stopped, byte for byte`() throws {
    try withTemporaryFolder { parent in
      let whole = parent.appending(path: "whole")
      let writer = try writeRun(in: whole, steps: 1...6)
      try writer.sync()
      writer.close()
      let parts = parent.appending(path: "parts")
      let first = try writeRun(in: parts, steps: 1...5)
      try first.update(status: .interrupted, message: "stopped")
      first.close()
      try append("{\"step\":6,\"torn", to: "samples.jsonl", in: parts)
      try append("{\"step\":6,\"torn", to: "metrics.jsonl", in: parts)
      let second = try resumed(parts)
      #expect(second.manifest.completedSteps == 5 && second.finishedSteps == 5)
      #expect(throws: RunError.inUse(path: parts.path)) { try resumed(parts) }
      // What comes out otherwise the second time is written again.
      try second.cut(afterStep: 3)
      #expect(second.manifest.completedSteps == 3)
      #expect(second.manifest.status == .running)
      for step in 4...6 {
        try second.append(samples: (0..<3).map { sample(step: step, index: $0) })
        try second.append(metrics: metrics(step: step))
      }
      try second.sync()
      for file in ["run.json", "metrics.jsonl", "samples.jsonl"] {
        #expect(try text(file, in: parts) == text(file, in: whole))
      }
      #expect(throws: RunError.notARun(path: parent.path)) { try resumed(parent) }
      try second.cut(afterStep: 0)
      #expect(try RunReader(folder: parts).metrics().isEmpty)
    }
  }

  /// Takes up a run whose stories, two of them, and tree are followed after steps 0 and 4.
  private func resumed(_ folder: URL) throws -> RunWriter {
    try RunWriter(
      resuming: folder, samplesPerStep: 3,
      following: (step: { [0, 4].contains($0) }, isWhole: { $1 == 2 && $2 == 1 }))
  }

  @Test func `followed stories and trees that are not whole, or not due, are cut off`() throws {
    // What the two files hold: steps of stories, steps of trees; and what is left of both.
    let cases: [(stories: [Int], trees: [Int], left: Set<Int>)] = [
      ([0, 0, 4, 4], [0, 4], [0, 4]), ([0, 0, 4], [0], [0]), ([0, 0, 4, 4], [0], [0]), ([0, 0, 3, 3], [0, 3], [0]),
      ([0], [], []), ([], [], []), ([0, 0, 4, 4, 5, 5], [0, 4, 5], [0, 4]),
    ]
    for (stories, trees, left) in cases {
      try withTemporaryFolder { parent in
        let folder = parent.appending(path: "run")
        let writer = try writeRun(in: folder, steps: 1...5)
        for (place, step) in stories.enumerated() {
          try writer.append(followedStories: [followedStory(step: step, index: place % 2)])
        }
        for step in trees { try writer.append(storyTrees: [storyTree(step: step)]) }
        writer.close()
        try append("{\"step\":5,\"torn", to: "story_trees.jsonl", in: folder)
        let second = try resumed(folder)
        #expect(second.followedSteps == left, "\(stories) \(trees)")
        let reader = try RunReader(folder: folder)
        #expect(Set(try reader.followedStories().stories.map(\.step)) == left)
        #expect(Set(try reader.storyTrees().trees.map(\.step)) == left)
      }
    }
  }

  @Test func `a run that lacks a step cannot be resumed`() throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      let writer = try writeRun(in: folder, steps: 1...2)
      try writer.append(metrics: metrics(step: 4))
      writer.close()
      #expect { try resumed(folder) } throws: { "\($0)".contains("metrics.jsonl, line 3: step 4 follows step 2") }
    }
  }

  @Test func `steps that are done again are compared with what was recorded`() throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      try writeRun(in: folder, steps: 1...3).close()
      let recorded = try RecordedSteps(in: folder, afterStep: 1)
      let samples = (0..<3).map { sample(step: 2, index: $0) }
      var same = metrics(step: 2)
      same.seconds = 9
      same.secondsSplit.rollout = 8
      #expect(try recorded.agree(samples: samples, metrics: same))
      var other = same
      other.loss = other.loss.nextUp
      #expect(try !recorded.agree(samples: samples, metrics: other))
      var changed = samples
      changed[2].logProbability = changed[2].logProbability.nextUp
      #expect(try !recorded.agree(samples: changed, metrics: same))
      #expect(try !recorded.agree(samples: samples.dropLast(), metrics: same))
      #expect(try !recorded.agree(samples: samples, metrics: metrics(step: 1)))
      #expect(try !recorded.agree(samples: samples, metrics: metrics(step: 4)))
    }
  }

  @Test func `a run can be followed while it grows`() throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      let writer = try writeRun(in: folder, steps: 1...2)
      let reader = try RunReader(folder: folder)
      let first = try reader.metrics(fromByte: 0)
      #expect(first.metrics.count == 2)
      try append("{\"step\":3,", to: "metrics.jsonl", in: folder)
      let second = try reader.metrics(fromByte: first.end)
      #expect(second.metrics.isEmpty)
      #expect(second.end == first.end)
      writer.close()
      try resumed(folder).append(metrics: metrics(step: 3))
      #expect(try reader.metrics(fromByte: second.end).metrics == [metrics(step: 3)])
    }
  }

  @Test func `checkpoint folders have six digits or more and are found`() throws {
    try withTemporaryFolder { folder in
      #expect(RunFolder.checkpoint(step: 1, in: folder).path.hasSuffix("/checkpoints/step-000001"))
      #expect(RunFolder.checkpoint(step: 12_345_678, in: folder).path.hasSuffix("/checkpoints/step-12345678"))
      #expect(RunFolder.checkpointSteps(in: folder).isEmpty)
      for name in ["step-000010", "step-000002", "step-000003.tmp", "other"] {
        try FileManager.default.createDirectory(
          at: folder.appending(path: "checkpoints/\(name)"), withIntermediateDirectories: true)
      }
      #expect(RunFolder.checkpointSteps(in: folder) == [2, 10])
    }
  }

  @Test func `lines longer than the reading buffer are read`() throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      let writer = try RunWriter(folder: folder, manifest: plainManifest)
      let long = [
        sample(step: 1, index: 0, text: String(repeating: "cat ", count: 700_000)), sample(step: 1, index: 1),
        sample(step: 1, index: 2, text: String(repeating: "🐈\"", count: 300_000)),
      ]
      try writer.append(samples: long)
      #expect(try RunReader(folder: folder).samples(steps: [1]) == long)
    }
  }

  @Test func `two hundred thousand samples are written and read back`() throws {
    try withTemporaryFolder { parent in
      let folder = parent.appending(path: "run")
      let writer = try RunWriter(folder: folder, manifest: plainManifest)
      var numbers = SplitMix64(state: 3)
      let steps = 200
      let batch = (0..<1024).map { sample(step: 1, index: $0, reward: Float.random(in: -1...1, using: &numbers)) }
      for step in 1...steps {
        try writer.append(
          samples: batch.map { record in
            var record = record
            record.step = step
            return record
          })
        try writer.append(metrics: metrics(step: step))
      }
      let reader = try RunReader(folder: folder)
      var count = 0
      var misplaced = 0
      try reader.forEachSample { sample in
        if sample.step != count / 1024 + 1 || sample.index != count % 1024 { misplaced += 1 }
        count += 1
      }
      #expect(count == 1024 * steps && misplaced == 0)
      let some = try reader.samples(steps: [1, 100, 200])
      #expect(some.map(\.step) == [1, 100, 200].flatMap { [Int](repeating: $0, count: 1024) })
      #expect(some.map(\.reward) == (0..<3).flatMap { _ in batch.map(\.reward) })
    }
  }
}
