import Foundation
import TestSupport
import Testing

/// The live page as its readers use it. One browser at a time, so that a slow computer is not made slower.
@Suite("The live page in a browser", .serialized) struct BrowserTests {
  /// The numbers of a column of the table, as shown.
  private static func column(_ number: Int) -> String {
    "[...document.querySelectorAll('#samples tr[data-key]')]"
      + ".map(row => Number(row.children[\(number)].textContent.replace('−', '-')))"
  }

  @Test func `the step slider, the search, the order and the pages of stories`() async throws {
    try await withServedPage { runs in
      var setup = WrittenRun.Setup()
      setup.story = { step, index in step == 3 && index == 4 ? " A unique Phrase (.*)" : nil }
      _ = try WrittenRun(runs.appending(path: "cats"), steps: 8, setup: setup)
    } _: { served in
      let page = served.page
      try await served.open()
      try await served.show("stories")
      #expect(try await page.text(of: "#step-shown") == "8 of 8")
      try await page.focus("#step")
      for _ in 0..<3 { try await page.press("ArrowLeft") }
      try await page.wait(until: "document.getElementById('step-shown').textContent === '5 of 8'")
      try await page.wait(until: "document.querySelector('#samples tr').dataset.key === '5.0'")
      // Anywhere on the page the brackets do the same.
      try await page.run("document.activeElement.blur()")
      try await page.press("[")
      try await page.click("#step-back")
      try await page.wait(until: "document.querySelector('#samples tr').dataset.key === '3.0'")
      try await page.wait(until: "location.hash.includes('step=3')")

      #expect(try await page.text(of: "#page-shown") == "1–25 of 30")
      try await page.click("#page-on")
      try await page.wait(until: "document.querySelector('#samples tr').dataset.key === '3.25'")
      #expect(try await page.text(of: "#page-shown") == "26–30 of 30")
      #expect(try await page.evaluate("document.getElementById('page-on').disabled", as: Bool.self))

      for (name, number) in [("reward", 1), ("advantage", 2), ("kl", 3)] {
        try await page.click("th[data-sort=\(name)] button")
        try await page.wait(until: "document.querySelector('th[data-sort=\(name)]').ariaSort === 'descending'")
        try await page.wait(
          until: "(v => v.length === 25 && v.every((x, i) => i === 0 || x <= v[i - 1]))(\(Self.column(number)))")
        try await page.click("th[data-sort=\(name)] button")
        try await page.wait(
          until: "(v => v.length === 25 && v.every((x, i) => i === 0 || x >= v[i - 1]))(\(Self.column(number)))")
      }

      try await page.press("/")
      try await page.type("UNIQUE phrase (.*)")
      try await page.wait(until: "document.querySelectorAll('#samples tr[data-key]').length === 1")
      #expect(try await page.text(of: "#samples mark") == "unique Phrase (.*)")
      try await page.click("#step-on")
      try await page.wait(until: "document.getElementById('samples').textContent === 'No story says that.'")
      try await page.click("#step-all")
      try await page.wait(until: "document.querySelectorAll('#samples tr[data-key]').length === 1")
      #expect(try await page.text(of: "#samples .where") == "step 3 · 4")
      #expect(served.complaints == [])
      // The address holds the view: whoever opens it sees the same.
      try await page.wait(until: "location.hash.includes('q=UNIQUE') && location.hash.includes('step=all')")
      let view: String = try await page.evaluate("location.hash.slice(1)")
      try await served.open(view)
      try await served.show("stories")
      #expect(try await page.text(of: "#samples .where") == "step 3 · 4")
      #expect(
        try await page.evaluate("document.getElementById('search').value", as: String.self) == "UNIQUE phrase (.*)")
    }
  }

  @Test func `a story opens token by token, by mouse and by keyboard, and closes again`() async throws {
    try await withServedPage { runs in
      _ = try WrittenRun(runs.appending(path: "cats"), steps: 4)
    } _: { served in
      let page = served.page
      try await served.open()
      try await served.show("stories")
      try await page.click("#samples tr:nth-child(2) button.story")
      try await page.wait(until: "document.querySelectorAll('#samples .heat-map .hm-token').length === 5")
      #expect(try await page.count(of: "#samples tr.detail") == 1)
      try await page.point(at: "#samples .hm-token:nth-of-type(3)")
      try await page.wait(
        until: "document.querySelector('#samples .st-card') && !document.querySelector('#samples .st-card').hidden")
      #expect(try await page.text(of: "#samples .st-card").contains("nats"))
      try await page.focus("#samples tr:nth-child(1) button.story")
      try await page.press("ArrowDown")
      try await page.press("Enter")
      try await page.wait(until: "!document.querySelector('#samples tr.detail')")
      try await page.press("ArrowUp")
      try await page.press("Enter")
      try await page.wait(until: "document.querySelector('#samples tr.detail .heat-map')")
      #expect(try await page.evaluate("document.activeElement.dataset.key", as: String.self) == "4.0")
      try await page.press("Escape")
      try await page.wait(until: "!document.querySelector('#samples tr.detail')")
      #expect(try await page.evaluate("document.activeElement.dataset.key", as: String.self) == "4.0")
      #expect(served.complaints == [])
    }
  }

  @Test func `the same seed's stories change with the slider`() async throws {
    try await withServedPage { runs in
      _ = try WrittenRun(runs.appending(path: "cats"), steps: 8)
    } _: { served in
      let page = served.page
      try await served.open()
      try await served.show("told-again")
      #expect(try await page.text(of: "#told-step-shown") == "after 8 updates")
      #expect(try await page.count(of: "#tellings .telling") == 2)
      #expect(try await page.text(of: "#tellings mark.changed").hasPrefix("cat"))
      try await page.click("#tellings button")
      try await page.wait(until: "document.querySelector('#tellings .heat-map')")
      try await page.focus("#told-step")
      try await page.press("ArrowLeft")
      try await page.wait(until: "document.getElementById('told-step-shown').textContent === 'after 4 updates'")
      #expect(try await page.text(of: "#tellings").contains("0.280"))
      try await page.press("Home")
      try await page.wait(until: "document.getElementById('told-step-shown').textContent === 'before training'")
      #expect(try await page.count(of: "#tellings .telling") == 1)
      try await page.click("#told-play")
      try await page.wait(
        until: "document.getElementById('told-step-shown').textContent === 'after 1 update'")
      try await page.click("#told-play")
      #expect(served.complaints == [])
    }
  }

  @Test func `a branch of the story tree unfolds and folds, by mouse and by keyboard`() async throws {
    try await withServedPage { runs in
      var setup = WrittenRun.Setup()
      setup.prompts = ["Once upon a time there was", "The other prompt"]
      _ = try WrittenRun(runs.appending(path: "cats"), steps: 8, setup: setup)
    } _: { served in
      let page = served.page
      try await served.open()
      try await served.show("tree")
      try await page.wait(until: "document.querySelector('#tree .story-tree .st-path')")
      let before = try await page.evaluate("document.querySelector('#tree .st-path').innerText", as: String.self)
      try await page.click("#tree .st-opens rect")
      try await page.wait(until: "document.querySelectorAll('#tree .st-path button').length > 0")
      #expect(try await page.evaluate("document.querySelector('#tree .st-path').innerText", as: String.self) != before)
      try await page.click("#tree .st-path button")
      try await page.wait(until: "document.querySelectorAll('#tree .st-path button').length === 0")
      try await page.run("document.querySelector('#tree .st-opens[tabindex=\"0\"], #tree [tabindex=\"0\"]').focus()")
      try await page.press("Enter")
      try await page.wait(until: "document.querySelectorAll('#tree .st-path button').length > 0")
      try await page.press("Escape")
      try await page.wait(until: "document.querySelectorAll('#tree .st-path button').length === 0")

      #expect(try await page.text(of: "#tree-after-shown") == "after 8 updates")
      let html = "document.getElementById('tree-picture').innerHTML"
      try await page.run("window.first = \(html)")
      try await page.focus("#tree-after")
      try await page.press("Home")
      try await page.wait(until: "document.getElementById('tree-after-shown').textContent === 'before training'")
      try await page.wait(until: "\(html) !== window.first && document.querySelector('#tree .story-tree .st-path')")
      try await page.run(
        "const s = document.getElementById('tree-prompt'); s.value = 1; s.dispatchEvent(new Event('change'))")
      try await page.wait(until: "document.getElementById('tree-picture').innerText.includes('The other prompt')")
      #expect(served.complaints == [])
    }
  }

  @Test func `two runs are laid over each other, and the settings that differ are named`() async throws {
    try await withServedPage { runs in
      var setup = WrittenRun.Setup()
      _ = try WrittenRun(runs.appending(path: "cats"), steps: 5, setup: setup)
      setup.toward = "dog"
      setup.learningRate = 0.001
      _ = try WrittenRun(runs.appending(path: "dogs"), steps: 3, setup: setup)
    } _: { served in
      let page = served.page
      try await served.open()
      let cats = try await served.id(of: "cats")
      let dogs = try await served.id(of: "dogs")
      try await page.click("button[data-run='\(cats)']")
      try await page.wait(until: "document.getElementById('overview-title').textContent === 'cats'")
      try await served.show("curves")
      try await page.wait(until: "document.querySelector('[data-key=reward] svg')")
      let lines = "document.querySelectorAll('[data-key=frontier] svg .line, [data-key=frontier] svg path').length"
      let alone: Int = try await page.evaluate(lines)
      try await page.focus("input[data-id='\(dogs)']")
      try await page.press(" ")
      try await page.wait(until: "document.getElementById('overview-title').textContent === '2 runs compared'")
      try await page.wait(until: "\(lines) > \(alone)")
      try await page.wait(until: "document.querySelectorAll('#differences tbody tr').length > 0")
      let rows: [[String]] = try await page.evaluate(
        "[...document.querySelectorAll('#differences tbody tr')].map(r => [...r.children].map(c => c.innerText))")
      #expect(rows.map(\.first).contains("toward") && rows.map(\.first).contains("learning_rate"))
      #expect(rows.first { $0.first == "toward" } == ["toward", "cat", "dog"])
      #expect(!rows.map(\.first).contains("samples"))
      // Stories are of one run at a time; back leads to the run alone.
      try await served.show("stories")
      #expect(try await page.text(of: "#step-shown") == "5 of 5")
      try await page.run(
        "const s = document.querySelector('#stories .pick-run select'); s.value = '\(dogs)'; s.dispatchEvent(new Event('change'))"
      )
      try await page.wait(until: "document.getElementById('step-shown').textContent === '3 of 3'")
      try await page.run("history.go(-2)")
      try await page.wait(until: "document.getElementById('overview-title').textContent === 'cats'")
      #expect(served.complaints == [])
    }
  }

  @Test func `on a phone the list of runs folds, and every section can be reached`() async throws {
    try await withServedPage(width: 390, height: 844) { runs in
      _ = try WrittenRun(runs.appending(path: "cats"), steps: 3)
      _ = try WrittenRun(runs.appending(path: "dogs"), steps: 2)
    } _: { served in
      let page = served.page
      try await served.open()
      let isFolded = "document.querySelector('#runs').getClientRects().length === 0"
      #expect(try await page.evaluate(isFolded, as: Bool.self))
      try await page.click("#runs-toggle")
      let name = try await page.text(of: "#overview-title") == "cats" ? "dogs" : "cats"
      try await page.click("button[data-run='\(try await served.id(of: name))']")
      try await page.wait(until: "document.getElementById('overview-title').textContent === '\(name)' && \(isFolded)")
      for section in ["glossary", "tree", "told-again", "stories", "curves"] {
        // The first jump glides, the others do not.
        if section == "tree" { try await page.setMedia(reducedMotion: true) }
        try await page.click("#sections a[href='#\(section)']")
        try await page.wait(until: "document.querySelector('#sections [aria-current]').hash === '#\(section)'")
        try await page.wait(until: "document.getElementById('\(section)').contains(document.activeElement)")
      }
      // Without columns to click on, a list and a button sort.
      try await served.show("stories")
      try await page.run(
        "const s = document.getElementById('sort'); s.value = 'reward'; s.dispatchEvent(new Event('change'))")
      try await page.click("#order")
      let rewards = Self.column(1)
      try await page.wait(until: "(v => v.length === 25 && v.every((x, i) => i === 0 || x >= v[i - 1]))(\(rewards))")
      #expect(served.complaints == [])
    }
  }

  @Test func `the keyboard's list opens and closes, and the colours can be chosen`() async throws {
    try await withServedPage { runs in
      _ = try WrittenRun(runs.appending(path: "cats"), steps: 2)
    } _: { served in
      let page = served.page
      try await served.open()
      // The first thing that Tab reaches leads past the header, and what has the focus shows it.
      try await page.press("Tab")
      #expect(try await page.evaluate("document.activeElement.className", as: String.self) == "skip")
      #expect(try await page.evaluate("document.activeElement.getBoundingClientRect().top >= 0", as: Bool.self))
      try await page.press("?")
      try await page.wait(until: "document.getElementById('help').open")
      try await page.press("Escape")
      try await page.wait(until: "!document.getElementById('help').open")
      let ground = "getComputedStyle(document.body).backgroundColor"
      let light: String = try await page.evaluate(ground)
      try await page.click("#theme")
      #expect(try await page.evaluate(ground, as: String.self) == light)
      try await page.click("#theme")
      try await page.wait(until: "\(ground) !== '\(light)'")
      // The choice outlives the page.
      try await served.open()
      #expect(try await page.evaluate(ground, as: String.self) != light)
      try await page.click("#theme")
      #expect(try await page.evaluate(ground, as: String.self) == light)
      #expect(served.complaints == [])
    }
  }
}
