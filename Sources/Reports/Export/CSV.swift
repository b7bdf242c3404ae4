public import Foundation
public import Runs

// Comma-separated values as RFC 4180 has them: a header, lines that end with CR LF, and cells in quotes where they hold a
// comma, a quote or a line's end.
//
// A spreadsheet takes a cell that begins with = + - or @ for a formula, and a story may begin with anything. Such a text
// gets an apostrophe before it, which spreadsheets hide; so does a text that begins with a tab, a line's end or an
// apostrophe. Whoever reads the file takes one leading apostrophe away to get the very text back. Numbers are not texts:
// a negative one is written as it is.

/// One line for each step, under one header: the names of `metrics.jsonl`, the parts of `seconds_split` as columns of their own.
///
/// Numbers are in full precision: reading them gives the same doubles. See `CSV.swift` on the format.
public func metricsCSV(_ metrics: [StepMetrics]) -> String {
  typealias Column = (name: String, cell: (StepMetrics) -> String)
  let columns: [Column] = [
    ("step", { String($0.step) }),
    ("reward_mean", { CSV.number($0.rewardMean) }),
    ("reward_std", { CSV.number($0.rewardStd) }),
    ("reward_max", { CSV.number($0.rewardMax) }),
    ("kl_forward", { CSV.number($0.klForward) }),
    ("kl_reverse", { CSV.number($0.klReverse) }),
    ("loss", { CSV.number($0.loss) }),
    ("entropy", { CSV.number($0.entropy) }),
    ("tokens", { String($0.tokens) }),
    ("nodes", { String($0.nodes) }),
    ("distinct_stories", { String($0.distinctStories) }),
    ("gradient_norm", { CSV.number($0.gradientNorm) }),
    ("learning_rate", { CSV.number($0.learningRate) }),
    ("mean_length", { CSV.number($0.meanLength) }),
    ("end_of_text_rate", { CSV.number($0.endOfTextRate) }),
    ("seconds", { CSV.number($0.seconds) }),
    ("seconds_rollout", { CSV.number($0.secondsSplit.rollout) }),
    ("seconds_reward", { CSV.number($0.secondsSplit.reward) }),
    ("seconds_reference", { CSV.number($0.secondsSplit.reference) }),
    ("seconds_backward", { CSV.number($0.secondsSplit.backward) }),
    ("seconds_optimizer", { CSV.number($0.secondsSplit.optimizer) }),
    ("tied_groups", { $0.tiedGroups.map(String.init) ?? "" }),
  ]
  return CSV.line(columns.map(\.name)) + metrics.map { step in CSV.line(columns.map { $0.cell(step) }) }.joined()
}

/// All samples of a run as CSV, handed to `write` in pieces of about 64 KiB, so that no more of them is in memory.
///
/// Columns: step, index, prompt, text, reward, advantage, log_probability (nats), log_ratio (mean of log pi - log pi_ref over
/// the story's tokens, nats per token; empty where the run did not record it), tokens, finish_reason, token_ids. See
/// `CSV.swift` on the format.
///
/// - Throws: `RunError` where the samples cannot be read, or what `write` throws.
public func samplesCSV(_ run: RunReader, write: (_ piece: [UInt8]) throws -> Void) throws {
  var piece = Array(CSV.samplesHeader.utf8)
  try run.forEachSample { sample in
    piece.append(contentsOf: CSV.line(of: sample).utf8)
    if piece.count >= 1 << 16 {
      try write(piece)
      piece.removeAll(keepingCapacity: true)
    }
  }
  if !piece.isEmpty { try write(piece) }
}

/// Writes `metrics.csv` and `samples.csv` into a run folder; files of these names are replaced.
///
/// - Returns: Where they are.
/// - Throws: `RunError` where the run cannot be read or the files cannot be written.
@discardableResult
public func writeCSV(runFolder: URL) throws -> (metrics: URL, samples: URL) {
  let run = try RunReader(folder: runFolder)
  let metrics = runFolder.appending(path: "metrics.csv")
  let samples = runFolder.appending(path: "samples.csv")
  let table = metricsCSV(try run.metrics())
  try ExportFile.replacing(metrics) { try $0.append(Array(table.utf8)) }
  try ExportFile.replacing(samples) { file in try samplesCSV(run) { try file.append($0) } }
  return (metrics, samples)
}

/// Cells and lines of CSV.
enum CSV {
  /// The names of a sample's columns.
  static let samplesHeader = line([
    "step", "index", "prompt", "text", "reward", "advantage", "log_probability", "log_ratio", "tokens", "finish_reason",
    "token_ids",
  ])

  /// A sample.
  static func line(of sample: SampleRecord) -> String {
    line([
      String(sample.step), String(sample.index), text(sample.prompt), text(sample.text), number(sample.reward),
      number(sample.advantage), number(sample.logProbability), sample.logRatio.map { number($0) } ?? "",
      String(sample.tokenIDs.count), sample.finishReason.rawValue,
      text(sample.tokenIDs.map(String.init).joined(separator: " ")),
    ])
  }

  /// Cells that were made by the functions below.
  static func line(_ cells: [String]) -> String { cells.joined(separator: ",") + "\r\n" }

  /// A number that reads back the same; nothing for one that is not finite.
  static func number(_ value: some BinaryFloatingPoint & CustomStringConvertible) -> String {
    value.isFinite ? value.description : ""
  }

  /// A text that no spreadsheet takes for a formula and no terminal for a command: other control characters than tabs
  /// and line ends are replaced.
  static func text(_ text: String) -> String {
    var scalars = String.UnicodeScalarView()
    var isQuoted = false
    for scalar in text.unicodeScalars {
      if scalars.isEmpty, isGuarded(scalar) { scalars.append("'") }
      switch scalar {
      case "\t": scalars.append(scalar)
      case "\n", "\r", ",":
        isQuoted = true
        scalars.append(scalar)
      case "\"":
        isQuoted = true
        scalars.append(contentsOf: "\"\"".unicodeScalars)
      case "\u{0}"..<" ", "\u{7F}"..."\u{9F}": scalars.append("\u{FFFD}")
      default: scalars.append(scalar)
      }
    }
    return isQuoted ? "\"\(String(scalars))\"" : String(scalars)
  }

  /// What a text must not begin with; the wide forms are formulas to spreadsheets in East Asia.
  private static func isGuarded(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "=", "+", "-", "@", "'", "\t", "\n", "\r", "\u{FF1D}", "\u{FF0B}", "\u{FF0D}", "\u{FF20}": true
    default: false
    }
  }
}
