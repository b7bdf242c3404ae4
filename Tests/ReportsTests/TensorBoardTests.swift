import Foundation
import Reports
import Runs
import TestSupport
import Testing

@Suite struct TensorBoardTests {
  private func file(_ url: URL) throws -> TensorBoardFile { try TensorBoardFile(Data(contentsOf: url)) }

  private func names(_ folder: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
  }

  @Test func `checksums are those of RFC 3720`() {
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum([UInt8]()) == 0)
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.checksum(Array(UInt8(0)..<32)) == 0x46DD_794E)
    #expect(CRC32C.checksum(Array(UInt8(0)..<32).reversed()) == 0x113F_DB5C)
  }

  /// The values of Scripts/goldens/tensorboard_events.py.
  @Test func `records are byte for byte those of TensorBoard's own writer`() throws {
    typealias Event = TensorBoardEvent
    let wall = 1_790_000_000.25
    let many = (0..<200).map { (index: Int) -> Double in
      let residue = (7 * index * index + 3) % 101
      return Double(residue) / 64 - 0.5
    }
    func scalar(_ tag: String, _ value: Double, _ description: String? = nil) -> Event.Value {
      .init(tag: tag, description: description, content: .scalar(value))
    }
    let events = [
      Event(
        wallTime: wall, step: 1,
        values: [scalar("reward/mean", 0.1, "The mean (reward_mean)."), scalar("kl/forward", -2.5e-7)]),
      Event(
        wallTime: wall + 0.125, step: 2, values: [scalar("reward/mean", 1.0 / 3), scalar("kl/forward", 0)]),
      Event(
        wallTime: wall, step: 300,
        values: [.init(tag: "samples/stories", content: .text("| a |\n| --- |\n| a cat – 猫 🐈 |\n"))]),
      Event(
        wallTime: wall, step: 70_000,
        values: [.init(tag: "samples/reward", content: .histogram(HistogramBuckets(many)))]),
      Event(
        wallTime: wall, step: 1 << 40,
        values: [.init(tag: "samples/length", content: .histogram(HistogramBuckets([4, 4, 4, 4])))]),
    ]
    let written = Data(events.reduce(Event.fileHeader(wallTime: wall)) { $0 + $1.record })
    let expected = try golden("tensorboard_events", in: .module)
    #expect(written.count == expected.count)
    let difference = zip(written, expected).enumerated().first { $0.element.0 != $0.element.1 }
    #expect(difference == nil)
  }

  @Test func `a run read back is the run that was written`() throws {
    try withTemporaryFolder { folder in
      let synthetic = SyntheticRun(steps: 7, stories: 33)
      let run = try synthetic.write(to: folder.appending(path: "run"))
      let url = try writeTensorBoard(runFolder: run.folder)
      let read = try file(url)
      #expect(read.version == "brain.Event:2" && read.writer == "tinyalign")
      #expect(read.events.map(\.step) == [0, 1, 2, 3, 4, 5, 6, 7])
      let metrics = try run.metrics()
      let expected: [(String, (StepMetrics) -> Double)] = [
        ("reward/mean", { $0.rewardMean }), ("reward/std", { $0.rewardStd }), ("reward/max", { $0.rewardMax }),
        ("kl/forward", { $0.klForward }), ("kl/reverse", { $0.klReverse }), ("policy/loss", { $0.loss }),
        ("policy/entropy", { $0.entropy }), ("policy/gradient_norm", { $0.gradientNorm }),
        ("policy/learning_rate", { $0.learningRate }), ("stories/tokens", { Double($0.tokens) }),
        ("stories/nodes", { Double($0.nodes) }), ("stories/distinct", { Double($0.distinctStories) }),
        ("stories/mean_length", { $0.meanLength }), ("stories/end_of_text_rate", { $0.endOfTextRate }),
        ("seconds/step", { $0.seconds }), ("seconds/rollout", { $0.secondsSplit.rollout }),
        ("seconds/reward", { $0.secondsSplit.reward }), ("seconds/reference", { $0.secondsSplit.reference }),
        ("seconds/backward", { $0.secondsSplit.backward }), ("seconds/optimizer", { $0.secondsSplit.optimizer }),
      ]
      for (tag, value) in expected {
        let series = read.series(tag)
        #expect(series.map(\.step) == metrics.map(\.step), "\(tag)")
        #expect(series.flatMap(\.value.floats) == metrics.map { Float(value($0)) }, "\(tag)")
        #expect(series.allSatisfy { $0.value.plugin == "scalars" && $0.value.dataClass == 1 }, "\(tag)")
        #expect(series.allSatisfy { $0.value.type == 1 && $0.value.shape.isEmpty }, "\(tag)")
        // The first one alone tells what it is.
        #expect(series.map { $0.value.description != nil } == [true] + metrics.dropFirst().map { _ in false }, "\(tag)")
      }
      let tags = Set(read.events.dropFirst().flatMap { $0.values.map(\.tag) })
      #expect(
        tags.subtracting(expected.map(\.0)) == [
          "samples/reward", "samples/advantage", "samples/length", "samples/stories",
        ])
      var wall = run.manifest.created.timeIntervalSince1970
      for (event, metrics) in zip(read.events.dropFirst(), metrics) {
        wall += metrics.seconds
        #expect(abs(event.wallTime - wall) < 1e-6)
      }
    }
  }

  @Test func `histograms hold every story of the step once`() throws {
    try withTemporaryFolder { folder in
      let run = try SyntheticRun(steps: 3, stories: 100).write(to: folder.appending(path: "run"))
      let read = try file(writeTensorBoard(runFolder: run.folder))
      let values: [(String, (SampleRecord) -> Double)] = [
        ("samples/reward", { Double($0.reward) }), ("samples/advantage", { Double($0.advantage) }),
        ("samples/length", { Double($0.tokenIDs.count) }),
      ]
      for (tag, value) in values {
        for (step, histogram) in read.series(tag) {
          let numbers = try run.samples(steps: [step]).map(value)
          #expect(histogram.plugin == "histograms" && histogram.dataClass == 2 && histogram.type == 2)
          #expect(histogram.shape == [30, 3] && histogram.doubles.count == 90)
          let buckets = stride(from: 0, to: 90, by: 3).map { Array(histogram.doubles[$0..<$0 + 3]) }
          #expect(buckets.reduce(0) { $0 + $1[2] } == 100)
          #expect(buckets.first?[0] == numbers.min() && buckets.last?[1] == numbers.max())
          for (index, bucket) in buckets.enumerated() where bucket[0] < bucket[1] {
            let inside = numbers.filter { $0 >= bucket[0] && ($0 < bucket[1] || index == 29) }
            #expect(bucket[2] == Double(inside.count), "\(tag), step \(step), bucket \(index)")
          }
        }
      }
    }
  }

  @Test func `the texts tell the best and the worst story and the recipe`() throws {
    try withTemporaryFolder { folder in
      let run = try SyntheticRun(steps: 2, stories: 20).write(to: folder.appending(path: "run"))
      let read = try file(writeTensorBoard(runFolder: run.folder))
      for (step, value) in read.series("samples/stories") {
        let samples = try run.samples(steps: [step])
        let lines = try #require(value.texts.first).split(separator: "\n")
        #expect(value.plugin == "text" && value.dataClass == 2 && value.type == 7 && value.shape.isEmpty)
        #expect(lines.count == 8 && lines[0] == "Prompt: Once upon a time there was")
        let best = try #require(samples.first { $0.reward == samples.map(\.reward).max() })
        let worst = try #require(samples.first { $0.reward == samples.map(\.reward).min() })
        for (line, name, sample) in [(3, "best", best), (4, "worst", worst)] {
          let reward = Numbers.fixed(Double(sample.reward), 4)
          #expect(lines[line].hasPrefix("| \(name) | \(TensorBoardText.cell(sample.text)) | \(reward) | "))
          #expect(lines[line].hasSuffix(" | \(sample.index) |"))
        }
        for index in 0..<3 {
          #expect(lines[5 + index].hasPrefix("| any | ") && lines[5 + index].hasSuffix(" | \(index) |"))
        }
      }
      let recipe = try #require(read.series("recipe").first)
      #expect(recipe.step == 0)
      let text = try #require(recipe.value.texts.first)
      #expect(text.contains("| recipe.optimizer.name | adamw |\n"))
      #expect(text.contains("| recipe.gradient&#95;clip | null |\n"))
      #expect(text.contains("| seed | 1 |\n"))
    }
  }

  @Test func `a file written step by step is the one that is written afterwards`() throws {
    try withTemporaryFolder { folder in
      let run = try SyntheticRun(steps: 5, stories: 16).write(to: folder.appending(path: "run"))
      let whole = try Data(contentsOf: writeTensorBoard(runFolder: run.folder))
      let writer = try TensorBoardWriter(folder: folder.appending(path: "a/b"), manifest: run.manifest)
      for metrics in try run.metrics() {
        try writer.add(metrics: metrics, samples: run.samples(steps: [metrics.step]))
        // Each step can be read as soon as it is written.
        #expect(try file(writer.file).events.last?.step == metrics.step)
      }
      #expect(try Data(contentsOf: writer.file) == whole)
    }
  }

  @Test func `a run that goes on is added to what it had`() throws {
    try withTemporaryFolder { folder in
      let synthetic = SyntheticRun(steps: 5, stories: 16)
      let whole = try Data(
        contentsOf: writeTensorBoard(runFolder: synthetic.write(to: folder.appending(path: "whole")).folder))
      let part = folder.appending(path: "part")
      _ = try synthetic.write(to: part)
      let metrics = try RunReader(folder: part).metrics()
      let lines = try String(contentsOf: part.appending(path: "metrics.jsonl"), encoding: .utf8).split(separator: "\n")
      // The samples of the fourth step are there, its metrics are not: the step is not finished.
      try (lines.prefix(3).joined(separator: "\n") + "\n{\"step\":4,")
        .write(to: part.appending(path: "metrics.jsonl"), atomically: true, encoding: .utf8)
      let writer = try TensorBoardWriter(runFolder: part)
      #expect(try file(writer.file).events.map(\.step) == [0, 1, 2, 3])
      for step in 4...5 { try writer.add(metrics: metrics[step - 1], samples: synthetic.samples(step: step)) }
      #expect(try Data(contentsOf: writer.file) == whole)
    }
  }

  @Test func `a fresh file takes the place of this program's, and of no other's`() throws {
    try withTemporaryFolder { folder in
      let run = try SyntheticRun(steps: 2, stories: 8).write(to: folder.appending(path: "run"))
      let tensorBoard = run.folder.appending(path: "tensorboard")
      let first = try writeTensorBoard(runFolder: run.folder)
      let foreign = ["events.out.tfevents.9999999998.other.1.0", "events.out.tfevents.x", "notes.txt"]
      for name in foreign {
        try Data("not ours".utf8).write(to: tensorBoard.appending(path: name))
      }
      let contents = try Data(contentsOf: first)
      let second = try writeTensorBoard(runFolder: run.folder)
      #expect(try names(tensorBoard) == (foreign + [second.lastPathComponent]).sorted())
      #expect(second.lastPathComponent > first.lastPathComponent, "TensorBoard reads on in the order of names")
      #expect(try Data(contentsOf: second) == contents)
      #expect(second.lastPathComponent.split(separator: ".").count == 7)
      #expect(second.lastPathComponent.hasPrefix("events.out.tfevents.9999999999."))
    }
  }

  @Test func `a file that is removed while it is written ends in one clear error`() throws {
    try withTemporaryFolder { folder in
      let synthetic = SyntheticRun(steps: 2, stories: 8)
      let run = try synthetic.write(to: folder.appending(path: "run"))
      let writer = try TensorBoardWriter(folder: folder.appending(path: "events"), manifest: run.manifest)
      try writer.add(metrics: synthetic.metrics[0], samples: [])
      try FileManager.default.removeItem(at: writer.file)
      #expect(throws: RunError.self) { try writer.add(metrics: synthetic.metrics[1], samples: []) }
      let blocked = folder.appending(path: "blocked")
      try Data().write(to: blocked)
      #expect(throws: RunError.self) {
        try TensorBoardWriter(folder: blocked.appending(path: "below"), manifest: run.manifest)
      }
      #expect(throws: RunError.self) { try writeTensorBoard(runFolder: folder.appending(path: "missing")) }
    }
  }

  @Test func `damaged samples leave the older file in place and no other behind`() throws {
    try withTemporaryFolder { folder in
      let run = try SyntheticRun(steps: 2, stories: 8).write(to: folder.appending(path: "run"))
      let first = try writeTensorBoard(runFolder: run.folder)
      let samples = run.folder.appending(path: "samples.jsonl")
      let text = try String(contentsOf: samples, encoding: .utf8)
      try (text + "{\"step\":2}\n").write(to: samples, atomically: true, encoding: .utf8)
      #expect(throws: RunError.self) { try writeTensorBoard(runFolder: run.folder) }
      #expect(try names(run.folder.appending(path: "tensorboard")) == [first.lastPathComponent])
    }
  }

  @Test func `a run without samples has scalars alone`() throws {
    try withTemporaryFolder { folder in
      let run = try SyntheticRun(steps: 2, stories: 8).write(to: folder.appending(path: "run"))
      try FileManager.default.removeItem(at: run.folder.appending(path: "samples.jsonl"))
      let read = try file(writeTensorBoard(runFolder: run.folder))
      #expect(read.events.dropFirst().map(\.values.count) == [20, 20])
    }
  }
}
