import Foundation
import LivePage
import TestSupport
import Testing

extension BrowserTests {
  @Test func `a step shows by itself, wherever the reader is`() async throws {
    nonisolated(unsafe) var run: WrittenRun?
    try await withServedPage { runs in
      run = try WrittenRun(runs.appending(path: "cats"), steps: 3, of: 20)
    } _: { served in
      let page = served.page
      let run = try #require(run)
      try await served.open()
      try await served.show("overview")
      try await page.wait(until: "document.getElementById('state').textContent === 'Live · step 3'")
      let curve = "document.querySelector('[data-key=reward] svg').innerHTML"
      for step in 4...6 {
        try await page.run("window.mark = \(curve)")
        try run.write(step)
        let state = "document.getElementById('state').textContent === 'Live · step \(step)'"
        try await page.wait(until: "\(state) && \(curve) !== window.mark")
      }
      // The newest step's stories follow; a step that the reader chose stays.
      try await served.show("stories")
      let first = "document.querySelector('#samples tr').dataset.key"
      try await page.wait(until: "\(first) === '6.0'")
      for step in 7...9 {
        try run.write(step)
        try await page.wait(until: "\(first) === '\(step).0'")
      }
      try await page.click("#step-back")
      try await page.wait(until: "\(first) === '8.0'")
      try run.write(10)
      try await page.wait(until: "document.getElementById('step-shown').textContent === '8 of 10'")
      #expect(try await page.evaluate(first, as: String.self) == "8.0")
      // Whoever opens a story of the newest step stays there.
      try await page.click("#step-on")
      try await page.click("#step-on")
      try await page.wait(until: "\(first) === '10.0'")
      try await page.click("#samples button.story")
      try await page.wait(until: "document.querySelector('#samples .heat-map')")
      try run.write(11)
      try await page.wait(until: "document.getElementById('step-shown').textContent === '10 of 11'")
      #expect(try await page.count(of: "#samples tr.detail .heat-map") == 1)
      #expect(served.complaints == [])
    }
  }

  @Test func `seven pages side by side all follow the run`() async throws {
    nonisolated(unsafe) var run: WrittenRun?
    try await withServedPage { runs in
      run = try WrittenRun(runs.appending(path: "cats"), steps: 2, of: 20)
    } _: { served in
      var pages = [served.page]
      for _ in 0..<6 { pages.append(try await served.browser.page()) }
      for page in pages {
        try await page.go(to: served.address)
        // A page that nobody sees asks for nothing.
        try await page.wait(
          until: "document.hidden || document.getElementById('state').textContent === 'Live · step 2'")
      }
      try run?.write(3)
      for page in pages {
        try await page.send("Page.bringToFront")
        try await page.wait(until: "document.getElementById('state').textContent === 'Live · step 3'")
        #expect(try await page.evaluate("fetch('api/runs').then(r => r.status)", as: Int.self) == 200)
        #expect(page.record.exceptions == [])
        // The secret does not stay in the address.
        #expect(try await page.evaluate("location.search", as: String.self) == "")
      }
      #expect(served.complaints == [])
    }
  }

  @Test func `the page survives its run being deleted and begun again`() async throws {
    nonisolated(unsafe) var run: WrittenRun?
    try await withServedPage { runs in
      run = try WrittenRun(runs.appending(path: "cats"), steps: 6, of: 20)
      _ = try WrittenRun(runs.appending(path: "other"), steps: 2)
    } _: { served in
      let page = served.page
      try await served.open()
      try await page.click("button[data-run='\(try await served.id(of: "cats"))']")
      try await page.wait(until: "document.getElementById('state').textContent === 'Live · step 6'")
      run?.close()
      let folder = served.runs.appending(path: "cats")
      try FileManager.default.removeItem(at: folder)
      try await page.wait(until: "document.getElementById('state').textContent === 'Folder deleted'")
      // What was read stays on the page.
      #expect(try await page.text(of: "#overview-title") == "cats")
      #expect(try await page.count(of: "#panels svg.chart") > 0)
      run = try WrittenRun(folder, steps: 2, of: 20)
      try await page.wait(until: "document.getElementById('state').textContent === 'Live · step 2'")
      try await served.show("stories")
      try await page.wait(until: "document.getElementById('step-shown').textContent === '2 of 2'")
      #expect(page.record.exceptions == [])
    }
  }

  @Test func `the page survives the server going away and coming back`() async throws {
    let runs = FileManager.default.temporaryDirectory.appending(path: "tinyalign-runs-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: runs) }
    let run = try WrittenRun(runs.appending(path: "cats"), steps: 2, of: 20)
    try await withBrowser { browser in
      let page = try await browser.page()
      let port = try await serve(runs, port: nil) { address in
        try await page.go(to: address)
        try await page.wait(until: "document.getElementById('state').textContent === 'Live · step 2'")
      }
      try await page.wait(until: "document.getElementById('state').textContent.startsWith('Server gone')")
      try run.write(3)
      _ = try await serve(runs, port: port) { _ in
        try await page.wait(until: "document.getElementById('state').textContent === 'Live · step 3'")
        try await page.wait(
          until: "document.querySelector('[data-key=reward] svg') && !document.querySelector('.problem:not([hidden])')")
      }
      #expect(page.record.exceptions == [])
    }
  }

  /// Serves `runs` while `body` runs, and closes the port afterwards, whose number it returns.
  private func serve(_ runs: URL, port: UInt16?, _ body: (URL) async throws -> Void) async throws -> UInt16 {
    let server = try LivePageServer(runs: [runs], options: LivePageOptions(port: port, token: "of-both-servers"))
    let address = try #require(URL(string: server.url))
    try await withServer(server) { try await body(address) }
    return server.port
  }
}
