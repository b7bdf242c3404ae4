import Foundation
import LivePage
import TestSupport
import Testing

/// A folder of runs, a server over it, and a browser that looks at its page.
struct ServedPage {
  /// Where the runs are.
  let runs: URL
  /// The page's address.
  let address: URL
  /// The host and port that all requests must go to.
  let host: String
  let port: UInt16
  let browser: Browser
  let page: BrowserPage

  /// Opens the page, at `view` (what stands after # in the address), and waits until it shows the runs.
  func open(_ view: String = "") async throws {
    try await page.go(to: try #require(URL(string: "\(address)#\(view)")))
    try await page.wait(until: "document.querySelector('#run-list li')")
  }

  /// Scrolls to a section and waits until it has been filled.
  func show(_ section: String) async throws {
    try await page.run("document.getElementById('\(section)').scrollIntoView({behavior: 'instant'})")
    try await page.wait(until: "document.getElementById('\(section)').dataset.ready !== undefined")
  }

  /// The id that the server gave to a run.
  func id(of name: String) async throws -> String {
    try await page.evaluate(
      "fetch('/api/runs').then(r => r.json()).then(a => a.runs.find(run => run.name === '\(name)').id)")
  }

  /// What went wrong on the page: errors of the console, of scripts, requests that failed or went elsewhere.
  var complaints: [String] {
    let record = page.record
    return record.consoleErrors + record.exceptions + record.failedRequests + record.requests(notTo: host)
  }
}

/// Serves what `write` puts into a folder, opens a page of the given size, and runs `body`.
func withServedPage(
  width: Int = 1280, height: Int = 900, write: (URL) throws -> Void, _ body: (ServedPage) async throws -> Void
) async throws {
  let runs = FileManager.default.temporaryDirectory.appending(path: "tinyalign-runs-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: runs, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: runs) }
  try write(runs)
  let server = try LivePageServer(runs: [runs])
  try await withServer(server) {
    try await withBrowser { browser in
      let page = try await browser.page(width: width, height: height)
      let address = try #require(URL(string: server.url))
      try await body(
        ServedPage(
          runs: runs, address: address, host: "127.0.0.1:\(server.port)", port: server.port, browser: browser,
          page: page))
    }
  }
}

/// Runs a server while `body` runs.
func withServer(_ server: LivePageServer, _ body: () async throws -> Void) async throws {
  let serving = Task { try await server.run() }
  do {
    try await body()
  } catch {
    serving.cancel()
    _ = await serving.result
    throw error
  }
  serving.cancel()
  _ = await serving.result
}
