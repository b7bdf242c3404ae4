import ArgumentParser
import Foundation
import JSON
import LivePage
import Runs

struct Watch: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "watch",
    abstract: "Show runs on a live page in the browser.",
    discussion: """
      The page shows the runs in the folders while they train and afterwards: curves, stories, what the model says word \
      by word. New runs appear by themselves. It is served to this computer only, and there to those who know the secret in \
      its address; it loads nothing from elsewhere, and changes nothing. Ctrl-C ends it.

      From another computer: ssh -L 8421:127.0.0.1:8421 HOST, then open the printed address there; any local port will do.
      """)

  @Argument(help: .init("Run folders, and folders of run folders. (default: runs)", valueName: "folder"))
  var runs: [String] = []
  @OptionGroup(title: "The live page") var pageOptions: PageOptions
  @OptionGroup var common: CommonOptions

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
    let page = try pageOptions.serve(folders)
    if common.json {
      try printJSON([.init("url", .string(page.url))])
    } else {
      Terminal.note("Live page: \(page.url) (Ctrl-C ends it)")
    }
    page.warnOfOthers()
    if !pageOptions.noOpen { page.openInBrowser() }
    try page.serve(until: stop)
    throw ExitCode(130)
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
