import Foundation
import Reports
import TestSupport
import Testing

extension BrowserTests {
  @Test func `a report's charts, tree and heat maps answer, from a file and without anything else`() async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tinyalign-report-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    let run = try WrittenRun(folder, steps: 8)
    run.close()
    let report = try writeReport(runFolder: folder).html
    try await withBrowser { browser in
      for (width, dark) in [(1280, false), (390, true)] {
        let page = try await browser.page(width: width, dark: dark)
        try await page.go(to: report)
        try await page.wait(until: "document.querySelector('.story-tree .st-path')")

        try await page.run("document.querySelector('svg.chart').scrollIntoView({block: 'center', behavior: 'instant'})")
        try await page.point(at: "svg.chart")
        try await page.wait(
          until: "document.querySelector('.chart-tip') && !document.querySelector('.chart-tip').hidden")

        try await page.click("[data-key=kl] .log")
        try await page.wait(
          until: "document.querySelector('[data-key=kl] svg .plot').textContent.includes('logarithmic')")
        try await page.run(
          "const s = document.querySelector('.chart-tools input'); s.value = 0.5; s.dispatchEvent(new Event('input'))")
        try await page.wait(until: "document.querySelector('[data-key=reward] svg .raw')")
        try await page.wait(until: "location.hash === '#smooth=0.5&log=kl'")

        try await page.click(".story-tree .st-opens rect")
        try await page.wait(until: "document.querySelectorAll('.story-tree .st-path button').length > 0")
        try await page.press("Escape")
        try await page.wait(until: "document.querySelectorAll('.story-tree .st-path button').length === 0")

        try await page.wait(until: "document.querySelector('.heat-map .hm-switch button')")
        try await page.point(at: ".heat-map .hm-token")
        try await page.wait(until: "[...document.querySelectorAll('.heat-map .st-card')].some((card) => !card.hidden)")

        let misfits: [String] = try await page.evaluate(Self.misfits)
        #expect(misfits == [], "\(width) wide")
        let record = page.record
        #expect(record.consoleErrors + record.exceptions + record.failedRequests == [])
        #expect(
          record.requests.allSatisfy { $0.split(separator: "#").first.map(String.init) == report.absoluteString },
          "\(record.requests)")
        try await page.close()
      }
    }
  }
}
