import Foundation
import Runs
import TestSupport
import Testing

extension BrowserTests {
  @Test func `curves are smoothed as TensorBoard does, with the raw ones behind, and the address keeps it`()
    async throws
  {
    try await withServedPage { runs in
      _ = try WrittenRun(runs.appending(path: "cats"), steps: 12)
    } _: { served in
      let page = served.page
      try await served.open()
      try await served.show("curves")
      try await page.wait(until: "document.querySelector('.chart-tools input')")
      #expect(try await page.count(of: "[data-key=kl] svg .raw") == 0)
      try await page.focus(".chart-tools input")
      // From 0 to the right end and a hundredth back at a time: the keys of any slider.
      try await page.press("End")
      for _ in 0..<39 { try await page.press("ArrowLeft") }
      try await page.wait(until: "document.querySelector('.chart-tools output').textContent === '0.60'")
      try await page.wait(until: "document.querySelectorAll('[data-key=kl] svg .raw').length === 2")
      try await page.focus("[data-key=kl] svg")
      try await page.press("End")
      try await page.press("ArrowLeft")
      // KL of step n is 0.02 n; a value weighs 0.6 times as much as the one after it.
      var sum = 0.0
      var weights = 0.0
      for age in 0..<11 {
        let weight = pow(0.6, Double(age))
        sum += weight * 0.02 * Double(11 - age)
        weights += weight
      }
      let mean = String(format: "%.3f", sum / weights)
      let tip = try await page.text(of: ".chart-tip")
      #expect(tip.contains("step 11"))
      #expect(tip.contains("\(mean) (raw 0.220)"), "\(tip)")
      try await page.wait(until: "location.hash.includes('smooth=0.6')")
      // Whoever opens the address sees the same; nothing of it is stored.
      try await served.open(try await page.evaluate("location.hash.slice(1)"))
      try await served.show("curves")
      try await page.wait(until: "document.querySelectorAll('[data-key=kl] svg .raw').length === 2")
      #expect(try await page.text(of: ".chart-tools output") == "0.60")
      // Back at 0 the chart is the server's own.
      try await page.focus(".chart-tools input")
      try await page.press("Home")
      try await page.wait(until: "document.querySelectorAll('svg .raw').length === 0")
      #expect(served.complaints == [])
    }
  }

  @Test func `a logarithmic axis, and steps, completions or time along the other`() async throws {
    try await withServedPage { runs in
      _ = try WrittenRun(runs.appending(path: "cats"), steps: 10)
      _ = try WrittenRun(runs.appending(path: "zero"), steps: 4) { metrics in
        metrics.klForward = metrics.step == 1 ? 0 : metrics.klForward
      }
    } _: { served in
      let page = served.page
      let cats = try await {
        try await served.open()
        return try await served.id(of: "cats")
      }()
      try await served.open("runs=\(cats)&log=kl,nonsense&x=completions")
      try await served.show("curves")
      try await page.wait(until: "document.querySelector('[data-key=kl] .log')?.ariaPressed === 'true'")
      // 0.02 to 0.2: the rise from 0.02 to 0.04 is as high as the one from 0.1 to 0.2.
      let ys: [Double] = try await page.evaluate(
        "document.querySelector('[data-key=kl] svg .plot path.line').getAttribute('d').slice(1).split('L')"
          + ".map(p => Number(p.split(' ')[1]))")
      try #require(ys.count == 10)
      #expect(abs((ys[0] - ys[1]) - (ys[4] - ys[9])) < 0.3)
      let labels: String = try await page.evaluate("document.querySelector('[data-key=kl] svg .plot').textContent")
      #expect(labels.contains("completions"))
      try await page.focus("[data-key=kl] svg")
      try await page.press("End")
      #expect(try await page.text(of: ".chart-tip b") == "step 10 · 300 completions")
      try await page.run(
        "const s = document.querySelector('.chart-tools select'); s.value = 'time'; s.dispatchEvent(new Event('change'))"
      )
      try await page.focus("[data-key=reward] svg")
      try await page.press("Home")
      let tip = try await page.text(of: ".chart-tip b")
      #expect(tip == "step 1 · 0.05 s")
      // A chart of parts on top of each other has no logarithm.
      #expect(try await page.evaluate("document.querySelector('[data-key=time] .log').hidden", as: Bool.self))
      try await page.click("[data-key=kl] .log")
      try await page.wait(until: "document.querySelector('[data-key=kl] .log').ariaPressed === 'false'")
      try await page.wait(until: "!location.hash.includes('log=kl')")
      // What has no logarithm is left out, and said.
      try await page.click("button[data-run='\(try await served.id(of: "zero"))']")
      try await page.wait(until: "document.getElementById('overview-title').textContent === 'zero'")
      try await page.click("[data-key=kl] .log")
      try await page.wait(until: "document.querySelector('[data-key=kl] .chart-note')?.hidden === false")
      #expect(try await page.text(of: "[data-key=kl] .chart-note").hasPrefix("1 value is 0 or less"))
      #expect(served.complaints == [])
    }
  }

  @Test func `a curve hides by its name, and a chart grows as large as the window`() async throws {
    try await withServedPage { runs in
      _ = try WrittenRun(runs.appending(path: "cats"), steps: 6)
      _ = try WrittenRun(runs.appending(path: "dogs"), steps: 4)
    } _: { served in
      let page = served.page
      try await served.open()
      let ids = [try await served.id(of: "cats"), try await served.id(of: "dogs")]
      try await served.open("runs=\(ids[0]),\(ids[1])")
      try await served.show("curves")
      try await page.wait(until: "document.querySelectorAll('[data-key=kl] svg path.line').length === 4")
      // A run that is hidden is so in every chart, with all its curves.
      try await page.click("[data-key=reward] svg .entry[data-name=dogs]")
      try await page.wait(until: "document.querySelectorAll('[data-key=kl] svg path.line').length === 2")
      #expect(
        try await page.evaluate(
          "document.querySelector('[data-key=entropy] .entry[data-name=dogs]').getAttribute('aria-pressed')") == "false"
      )
      try await page.wait(until: "location.hash.includes('hide=')")
      try await page.focus("[data-key=reward] svg .entry[data-name=dogs]")
      try await page.press("Enter")
      try await page.wait(until: "document.querySelectorAll('[data-key=kl] svg path.line').length === 4")
      try await page.press(" ")
      try await page.wait(until: "document.querySelectorAll('[data-key=kl] svg path.line').length === 2")
      try await page.click(".chart-tools button")
      try await page.wait(until: "document.querySelectorAll('[data-key=kl] svg path.line').length === 4")

      for width in [1280, 390] {
        try await page.setSize(width: width, height: 844)
        try await page.focus("[data-key=kl] .enlarge")
        try await page.press("Enter")
        try await page.wait(until: "document.querySelector('dialog.chart-large').open")
        let large = "document.querySelector('dialog svg.chart').getBoundingClientRect()"
        #expect(try await page.evaluate("\(large).width", as: Double.self) > (width > 700 ? 1000 : 300))
        let misfits = try await page.evaluate(Self.misfits, as: [String].self)
        #expect(misfits == [], "\(width)")
        try await page.focus("dialog svg.chart")
        try await page.press("End")
        #expect(try await page.text(of: "dialog .chart-tip").contains("step 6"))
        try await page.click("dialog .entry[data-name=cats]")
        try await page.wait(until: "document.querySelectorAll('dialog svg path.line').length === 2")
        try await page.click("dialog .entry[data-name=cats]")
        // What the page's own keys do stays behind it.
        try await page.press("?")
        #expect(try await page.evaluate("document.getElementById('help').open", as: Bool.self) == false)
        try await page.press("Escape")
        try await page.wait(until: "!document.querySelector('dialog.chart-large').open")
        #expect(try await page.evaluate("document.activeElement.matches('[data-key=kl] .enlarge')", as: Bool.self))
      }
      #expect(served.complaints == [])
    }
  }

  @Test func `the recipe of a run tells every setting, and is copied as a file`() async throws {
    try await withServedPage { runs in
      var setup = WrittenRun.Setup()
      setup.seed = .max
      _ = try WrittenRun(runs.appending(path: "cats"), steps: 2, setup: setup)
    } _: { served in
      let page = served.page
      try await served.open()
      try await served.show("recipe")
      let rows: [[String]] = try await page.evaluate(
        "[...document.querySelectorAll('#recipe tr')].map(r => [...r.children].map(c => c.innerText))")
      for row in [["learning_rate", "0.0004"], ["seed", "18446744073709551615"], ["Program", "TinyAlign 0.1.0"]] {
        #expect(rows.contains(row), "\(row)")
      }
      #expect(rows.contains { $0.first == "max_gradient_norm" && $0.last?.hasPrefix("none") == true })
      try await page.run(
        "navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }")
      try await page.click("#recipe .recipe-copy")
      try await page.wait(until: "window.copied?.includes('\\nseed: 18446744073709551615\\n')")
      #expect(try await page.evaluate("window.copied.includes('\\nlearning_rate: 0.0004\\n')", as: Bool.self))
      #expect(served.complaints == [])
    }
  }
}
