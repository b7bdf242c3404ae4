import Foundation
import TestSupport
import Testing

extension BrowserTests {
  private static let names = "[...document.querySelectorAll('#run-list b')].map(b => b.textContent)"
  /// Cells of numbers that take more than one line, of those in a table.
  private static func brokenCells(_ table: String) -> String {
    "[...document.querySelectorAll('\(table) td')].filter(td => td.clientHeight > 2 * parseFloat(getComputedStyle(td).lineHeight))"
      + ".map(td => td.textContent)"
  }

  @Test func `many runs are searched, ordered and compared, as many as are served`() async throws {
    try await withServedPage { runs in
      for number in 1...26 {
        var setup = WrittenRun.Setup()
        setup.toward = number % 2 == 0 ? "dog" : "cat"
        setup.seed = UInt64(number)
        setup.learningRate = 0.000_123_456 * Double(number)
        setup.samples = 4
        let folder = number <= 3 ? "sweep/lr/run-\(number)" : "run-\(number)"
        _ = try WrittenRun(runs.appending(path: folder), steps: number % 3 + 1, setup: setup)
      }
    } _: { served in
      let page = served.page
      try await served.open("by=name")
      let all: [String] = try await page.evaluate(Self.names)
      #expect(all == (4...26).map { "run-\($0)" } + (1...3).map { "sweep/lr/run-\($0)" })
      try await page.focus("#run-find")
      try await page.type("SWEEP dog")
      try await page.wait(until: "document.querySelectorAll('#run-list li').length === 1")
      #expect(try await page.evaluate(Self.names, as: [String].self) == ["sweep/lr/run-2"])
      #expect(try await page.text(of: "#run-count") == "1 of 26 runs")
      try await page.wait(until: "location.hash.includes('find=SWEEP')")
      try await page.run(
        "((f) => { f.value = ''; f.dispatchEvent(new Event('input')) })(document.getElementById('run-find'))")
      for (order, value) in [("reward", "-r.last_reward"), ("kl", "r.last_kl"), ("steps", "-r.completed_steps")] {
        try await page.run(
          "((s) => { s.value = '\(order)'; s.dispatchEvent(new Event('change')) })(document.getElementById('run-order'))"
        )
        let isAscending: Bool = try await page.evaluate(
          "[...document.querySelectorAll('#run-list li')].map(li => TinyAlign.page.find(li.dataset.id)).map(r => \(value))"
            + ".every((x, i, all) => i === 0 || all[i - 1] <= x)")
        #expect(isAscending, "\(order)")
      }
      // No more can be ticked than are served.
      try await page.run(
        "for (let i = 0; i < 30; i++) document.querySelector('#run-list input:not(:checked):not(:disabled)')?.click()")
      try await page.wait(until: "document.querySelectorAll('#tiles tbody tr').length === 24")
      #expect(try await page.count(of: "#run-list input:checked") == 24)
      #expect(try await page.count(of: "#run-list input:disabled") == 2)
      #expect(try await page.text(of: "#run-count") == "24 runs are the most that can be compared.")
      try await served.show("comparison")
      for (width, height) in [(1_280, 900), (390, 800)] {
        try await page.setSize(width: width, height: height)
        for table in ["#tiles", "#differences"] {
          #expect(try await page.count(of: "\(table) td") > 24)
          #expect(try await page.evaluate(Self.brokenCells(table), as: [String].self) == [], "\(table) at \(width)")
        }
        let overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        #expect(try await page.evaluate(overflow, as: Int.self) == 0)
      }
      #expect(served.complaints == [])
    }
  }

  @Test func `a link to a run that is gone says which run and where it was looked for`() async throws {
    try await withServedPage { runs in
      _ = try WrittenRun(runs.appending(path: "cats"), steps: 2)
    } _: { served in
      let page = served.page
      try await served.open()
      let cats = try await served.id(of: "cats")
      try await page.wait(until: "location.hash.includes('named=cats')")
      #expect(!(try await page.evaluate("document.getElementById('missing').offsetParent !== null", as: Bool.self)))
      try await served.open("runs=00ff00ff00ff00ff&named=sweep%2Flr-3")
      try await page.wait(until: "document.getElementById('missing').offsetParent !== null")
      let text = try await page.text(of: "#missing")
      #expect(text.contains("“sweep/lr-3”") && text.contains(served.runs.lastPathComponent), "\(text)")
      // Another run is shown meanwhile; choosing one takes the notice away.
      #expect(try await page.text(of: "#overview-title") == "cats")
      try await page.click("button[data-run='\(cats)']")
      try await page.wait(until: "document.getElementById('missing').hidden")
    }
  }
}
