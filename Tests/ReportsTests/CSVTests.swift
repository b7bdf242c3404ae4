import Foundation
import Reports
import Runs
import TestSupport
import Testing

@Suite struct CSVTests {
  /// The records of CSV by RFC 4180 to the letter: every line ends with CR LF, quotes stand at a cell's ends or doubled.
  private func records(_ text: String) throws -> [[String]] {
    var records: [[String]] = []
    var record: [String] = []
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      var cell: [UInt8] = []
      if rest.first == UInt8(ascii: "\"") {
        rest.removeFirst()
        while true {
          let next = rest.popFirst()
          let byte = try #require(next, "a quote without end")
          if byte != UInt8(ascii: "\"") {
            cell.append(byte)
          } else if rest.first == UInt8(ascii: "\"") {
            cell.append(rest.removeFirst())
          } else {
            break
          }
        }
      } else {
        while let byte = rest.first, ![UInt8(ascii: ","), UInt8(ascii: "\r"), UInt8(ascii: "\n")].contains(byte) {
          try #require(byte != UInt8(ascii: "\""), "a quote within a cell")
          cell.append(rest.removeFirst())
        }
      }
      record.append(String(decoding: cell, as: UTF8.self))
      if rest.first == UInt8(ascii: ",") {
        rest.removeFirst()
        continue
      }
      try #require(rest.starts(with: Array("\r\n".utf8)), "a line that does not end with CR LF")
      rest = rest.dropFirst(2)
      records.append(record)
      record = []
    }
    try #require(record.isEmpty)
    return records
  }

  /// Makes these the samples of a run.
  private func put(_ samples: [SampleRecord], into run: RunReader) throws {
    let lines = try samples.map { try JSONEncoder().encode($0) + Data("\n".utf8) }
    try lines.reduce(Data(), +).write(to: run.folder.appending(path: RunFolder.samples))
  }

  private func samples(_ run: RunReader) throws -> [[String: String]] {
    var bytes: [UInt8] = []
    try samplesCSV(run) { bytes += $0 }
    let records = try records(String(decoding: bytes, as: UTF8.self))
    let header = try #require(records.first)
    return try records.dropFirst().map { record in
      try #require(record.count == header.count)
      return Dictionary(uniqueKeysWithValues: zip(header, record))
    }
  }

  @Test func `metrics keep every digit`() throws {
    let metrics = SyntheticRun(steps: 20).metrics.map { step in
      var step = step
      step.tiedGroups = step.step / 3
      return step
    }
    let records = try records(metricsCSV(metrics))
    #expect(records.count == 21)
    let columns: [(String, (StepMetrics) -> Double)] = [
      ("step", { Double($0.step) }), ("reward_mean", { $0.rewardMean }), ("reward_std", { $0.rewardStd }),
      ("reward_max", { $0.rewardMax }), ("kl_forward", { $0.klForward }), ("kl_reverse", { $0.klReverse }),
      ("loss", { $0.loss }), ("entropy", { $0.entropy }), ("tokens", { Double($0.tokens) }),
      ("nodes", { Double($0.nodes) }), ("distinct_stories", { Double($0.distinctStories) }),
      ("gradient_norm", { $0.gradientNorm }), ("learning_rate", { $0.learningRate }),
      ("mean_length", { $0.meanLength }), ("end_of_text_rate", { $0.endOfTextRate }), ("seconds", { $0.seconds }),
      ("seconds_rollout", { $0.secondsSplit.rollout }), ("seconds_reward", { $0.secondsSplit.reward }),
      ("seconds_reference", { $0.secondsSplit.reference }), ("seconds_backward", { $0.secondsSplit.backward }),
      ("seconds_optimizer", { $0.secondsSplit.optimizer }), ("tied_groups", { Double($0.tiedGroups ?? -1) }),
    ]
    #expect(records[0] == columns.map(\.0))
    for (record, metrics) in zip(records.dropFirst(), metrics) {
      #expect(record.map { Double($0) } == columns.map { $0.1(metrics) })
    }
    #expect(metricsCSV([]) == columns.map(\.0).joined(separator: ",") + "\r\n")
  }

  @Test func `a number that is not finite is an empty cell`() throws {
    var metrics = SyntheticRun(steps: 1).metrics[0]
    (metrics.loss, metrics.entropy) = (.nan, -.infinity)
    let record = try records(metricsCSV([metrics]))[1]
    #expect(record[6].isEmpty && record[7].isEmpty && !record[5].isEmpty)
  }

  @Test func `samples are all there, element by element`() throws {
    try withTemporaryFolder { folder in
      let run = try SyntheticRun(steps: 3, stories: 40).write(to: folder.appending(path: "run"))
      let expected = try run.samples(steps: 1...3)
      let rows = try samples(run)
      #expect(rows.count == 120)
      for (row, sample) in zip(rows, expected) {
        #expect(row["step"] == String(sample.step) && row["index"] == String(sample.index))
        #expect(row["prompt"] == sample.prompt && row["text"] == sample.text)
        #expect(row["reward"].flatMap { Float($0) } == sample.reward)
        #expect(row["advantage"].flatMap { Float($0) } == sample.advantage)
        #expect(row["log_probability"].flatMap { Float($0) } == sample.logProbability)
        #expect(row["log_ratio"] == "", "this run did not record it")
        #expect(row["tokens"] == String(sample.tokenIDs.count))
        #expect(row["token_ids"] == sample.tokenIDs.map(String.init).joined(separator: " "))
        #expect(row["finish_reason"] == sample.finishReason.rawValue)
      }
    }
  }

  /// What stories begin with that a spreadsheet would run, and what breaks tables.
  @Test func `no story is a formula, and each can be had back`() throws {
    let texts = [
      "=HYPERLINK(\"http://a\",\"b\")", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "'quoted", "''", "\t=1", "\r=1",
      "\n=1", "＝1", "＋1", "－1", "＠x", " a cat", "a,b", "say \"no\"", "two\r\nlines", "", "plain", "\"", ",", "\r\n",
      "猫 🐈", "e\u{301}=",
    ]
    try withTemporaryFolder { folder in
      let samples = texts.enumerated().map { index, text in
        SampleRecord(
          step: 1, index: index, prompt: texts[texts.count - 1 - index], tokenIDs: [-3, 1], text: text, reward: -0.5,
          advantage: 0, logProbability: -1e-9, finishReason: .stop, logProbabilities: [-1, -2],
          referenceLogProbabilities: [-2, -4])
      }
      let run = try SyntheticRun(steps: 0).write(to: folder.appending(path: "run"))
      try put(samples, into: run)
      let rows = try self.samples(run)
      #expect(rows.count == texts.count)
      for (row, sample) in zip(rows, samples) {
        for (cell, text) in [(row["prompt"], sample.prompt), (row["text"], sample.text)] {
          let cell = try #require(cell)
          let first = cell.unicodeScalars.first
          #expect(!(first.map { "=+-@\t\r\n＝＋－＠".unicodeScalars.contains($0) } ?? false), "\(cell)")
          let back = first == "'" ? String(cell.unicodeScalars.dropFirst()) : cell
          #expect(Array(back.unicodeScalars) == Array(text.unicodeScalars))
        }
        #expect(row["reward"] == "-0.5" && row["log_ratio"] == "1.5")
        #expect(row["token_ids"] == "'-3 1")
      }
    }
  }

  @Test func `control characters reach no terminal`() throws {
    try withTemporaryFolder { folder in
      let run = try SyntheticRun(steps: 0).write(to: folder.appending(path: "run"))
      var sample = SyntheticRun().samples(step: 1)[0]
      sample.text = "a\u{0}\u{1B}[2J\u{7F}\u{9B}b"
      try put([sample], into: run)
      #expect(try samples(run)[0]["text"] == "a\u{FFFD}\u{FFFD}[2J\u{FFFD}\u{FFFD}b")
    }
  }

  @Test func `samples come in pieces`() throws {
    try withTemporaryFolder { folder in
      let run = try SyntheticRun(steps: 30, stories: 128).write(to: folder.appending(path: "run"))
      var pieces: [Int] = []
      try samplesCSV(run) { pieces.append($0.count) }
      #expect(pieces.count > 3)
      #expect(pieces.allSatisfy { $0 < 70_000 })
      struct Full: Error {}
      #expect(throws: Full.self) { try samplesCSV(run) { _ in throw Full() } }
    }
  }

  @Test func `both files go into the run folder, and take the place of older ones`() throws {
    try withTemporaryFolder { folder in
      let run = try SyntheticRun(steps: 3, stories: 8).write(to: folder.appending(path: "run"))
      let before = try FileManager.default.contentsOfDirectory(atPath: run.folder.path)
      try Data("old".utf8).write(to: run.folder.appending(path: "samples.csv"))
      let files = try writeCSV(runFolder: run.folder)
      let after = try FileManager.default.contentsOfDirectory(atPath: run.folder.path)
      #expect(Set(after) == Set(before + ["metrics.csv", "samples.csv"]))
      #expect(try String(contentsOf: files.metrics, encoding: .utf8) == metricsCSV(run.metrics()))
      #expect(try records(String(contentsOf: files.samples, encoding: .utf8)).count == 25)
    }
  }
}
