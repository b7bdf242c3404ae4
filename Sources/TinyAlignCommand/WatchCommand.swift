import ArgumentParser
import Foundation
import LivePage
import Runs

struct Watch: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "Show runs on a live page in the browser.",
    discussion: """
      The page shows the runs in the folders while they train and afterwards: curves, stories, what the model says word \
      by word. New runs appear by themselves. It is served to this computer only, loads nothing from elsewhere, and \
      changes nothing. Ctrl-C ends it.
      """)

  /// The port that is taken where it is free: the page then has the same address every time.
  private static let usualPort: UInt16 = 8_421

  @Argument(help: .init("Run folders, and folders of run folders. (default: runs)", valueName: "folder"))
  var runs: [String] = []
  @Option(help: .init("Port to serve at. (default: \(usualPort), or a free one)", valueName: "n"))
  var port: Int?
  @Flag(help: "Do not open the browser.")
  var noOpen = false
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard let port else { return }
    guard (1...65_535).contains(port) else {
      throw ValidationError("--port is \(port); it must lie between 1 and 65535")
    }
  }

  func run() throws {
    let stop = InterruptSignal()
    stop.begin(.short)
    let folders = try (runs.isEmpty ? ["runs"] : runs).map { name in
      var isFolder: ObjCBool = false
      let exists = FileManager.default.fileExists(atPath: name, isDirectory: &isFolder)
      // Runs may still come where they usually do.
      guard exists && isFolder.boolValue || runs.isEmpty else { throw NoSuchFolder(name: name, isFile: exists) }
      return URL(filePath: name, directoryHint: .isDirectory)
    }
    let page = try start(folders)
    if common.json {
      try printJSON([.init("url", .string(page.url))])
    } else {
      Terminal.note("Live page: \(page.url) (Ctrl-C ends it)")
    }
    if !noOpen { page.openInBrowser() }
    try page.serve(until: stop)
    throw ExitCode(130)
  }

  private func start(_ folders: [URL]) throws -> LivePageTask {
    if let port { return try LivePageTask(runs: folders, port: UInt16(port)) }
    do {
      return try LivePageTask(runs: folders, port: Self.usualPort)
    } catch is LivePageError {
      return try LivePageTask(runs: folders, port: nil)
    }
  }
}

/// A folder to watch that is not there.
private struct NoSuchFolder: Error, CustomStringConvertible {
  let name: String
  let isFile: Bool

  var description: String {
    isFile
      ? "\(name) is a file; name a run folder, or a folder of run folders"
      : "there is no folder \(name); name a run folder, or a folder of run folders"
  }
}
