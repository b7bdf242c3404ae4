import Foundation
import TestSupport
import Testing

/// The driver itself: what it reports must be so.
@Suite("Browser driver", .serialized) struct BrowserDriverTests {
  private func page(_ html: String) throws -> URL {
    let text = html.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
    return try #require(URL(string: "data:text/html;charset=utf-8,\(text)"))
  }

  @Test func `a browser clicks, types, presses keys, records what goes wrong, and ends`() async throws {
    try await withBrowser { browser in
      let page = try await browser.page(width: 500, height: 400, dark: true)
      try await page.go(
        to: self.page(
          """
          <!DOCTYPE html><meta name="viewport" content="width=device-width"><title>t</title><button onclick="this.textContent='clicked'">one</button>
          <input id="i" onkeydown="if(event.key==='Enter')document.title=this.value">
          <div id="under">under</div><div style="position:fixed;inset:200px 0 0 0">over</div>
          """))
      try await page.click("button")
      #expect(try await page.text(of: "button") == "clicked")
      try await page.focus("#i")
      try await page.type("ü\"'\\")
      try await page.press("Enter")
      try await page.wait(until: "document.title === 'ü\"\\'\\\\'")
      #expect(try await page.evaluate("innerWidth", as: Int.self) == 500)
      #expect(try await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches", as: Bool.self))
      try await page.setMedia(dark: false, reducedMotion: true)
      #expect(
        try await page.evaluate(
          "[...'x'].map(() => matchMedia('(prefers-reduced-motion)').matches)", as: [Bool].self) == [true])
      #expect(try await page.evaluate("new Promise(done => setTimeout(() => done(7), 20))", as: Int.self) == 7)
      #expect(page.record.consoleErrors.isEmpty && page.record.exceptions.isEmpty)
      try await page.run("console.error('said', 3); setTimeout(() => { throw new Error('thrown') })")
      try await page.run("fetch('http://127.0.0.1:1/none').catch(() => 0)")
      try await page.wait(forRecord: { !$0.exceptions.isEmpty && !$0.failedRequests.isEmpty })
      #expect(page.record.consoleErrors.first == "said 3.0")
      #expect(page.record.exceptions.first?.contains("thrown") == true)
      #expect(page.record.failedRequests == ["http://127.0.0.1:1/none"])
      #expect(page.record.requests(notTo: "127.0.0.1:2").suffix(1) == ["http://127.0.0.1:1/none"])
      #expect(page.record.requests(notTo: "127.0.0.1:1").isEmpty)
      #expect(try await page.screenshot().starts(with: [0x89, 0x50, 0x4e, 0x47]))
      await #expect(throws: BrowserFailure.self) { try await page.run("throw new Error('no')") }
      await #expect(throws: BrowserFailure.self) { try await page.wait(until: "false", timeout: 0.1) }
      await #expect(throws: BrowserFailure.self) { try await page.click("#none", timeout: 0.1) }
      browser.close()
      await #expect(throws: BrowserFailure.self) { try await page.evaluate("1", as: Int.self) }
    }
  }
}
