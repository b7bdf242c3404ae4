import Foundation
import TestSupport
import Testing

extension BrowserTests {
  private static let panels = [
    "reward", "kl", "frontier", "entropy", "distinct", "length", "ending", "gradient", "time", "speed",
  ]
  private static let sections = [
    "overview", "curves", "stories", "told-again", "tree", "recipe", "comparison", "glossary",
  ]

  /// What does not fit: wide content without a scroll bar, cut-off words, labels outside their chart.
  static let misfits = """
    (() => {
      const found = [], root = document.documentElement;
      if (root.scrollWidth > root.clientWidth) found.push(`the page is ${root.scrollWidth} wide`);
      const isSeen = (element) => element.getClientRects().length > 0 && getComputedStyle(element).visibility !== "hidden";
      const name = (element) => `${element.tagName}.${element.getAttribute("class") || ""}#${element.id}: `
        + (element.textContent || "").trim().slice(0, 40);
      for (const element of document.querySelectorAll("body *:not(svg, svg *)")) {
        if (!isSeen(element) || element.closest(".hidden, .st-hidden, .skip")) continue;
        const style = getComputedStyle(element);
        const cuts = ["hidden", "clip"].includes(style.overflowX) && style.textOverflow !== "ellipsis";
        if (cuts && element.clientWidth > 0 && element.scrollWidth > element.clientWidth + 1) found.push(name(element));
        const box = element.getBoundingClientRect();
        if (box.width > 0 && box.right > root.clientWidth + 1 && !element.closest(".scroll, #sections")) found.push(name(element));
      }
      for (const svg of document.querySelectorAll("svg.chart")) {
        const box = svg.getBoundingClientRect();
        for (const text of svg.querySelectorAll("text")) {
          const own = text.getBoundingClientRect();
          if (own.width > 0 && (own.left < box.left - 1 || own.right > box.right + 1 || own.top < box.top - 1
            || own.bottom > box.bottom + 1)) found.push(`chart ${name(text)}`);
        }
      }
      return found;
    })()
    """

  /// Texts whose contrast with their ground is below WCAG AA: 4.5, or 3 for large ones.
  private static let faint = """
    (() => {
      const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
      const over = (color, ground) => {
        canvas.fillStyle = `rgb(${ground.join()})`;
        canvas.fillRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
      };
      const light = (color) => color.map((part) => part / 255)
        .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
      const ground = (element) => element
        ? over(getComputedStyle(element).backgroundColor, ground(element.parentElement)) : [255, 255, 255];
      const found = [];
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || element.closest("svg, script, noscript, [disabled], option, .hidden, .skip")
          || element.getClientRects().length === 0) continue;
        const style = getComputedStyle(element), behind = ground(element);
        const [a, b] = [light(over(style.color, behind)), light(behind)].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05), size = parseFloat(style.fontSize);
        const isLarge = size >= 24 || (size >= 18.6 && Number(style.fontWeight) >= 700);
        if (ratio < (isLarge ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 40)}`);
      }
      return found;
    })()
    """

  @Test func `the page opens without an error, asks no other host, and all of it is legible`() async throws {
    try await withServedPage { runs in
      var setup = WrittenRun.Setup()
      setup.story = { _, index in index == 1 ? String(repeating: "Unbreakable", count: 60) : nil }
      _ = try WrittenRun(
        runs.appending(path: "cats_\(String(repeating: "long_name", count: 6))"), steps: 12, setup: setup)
    } _: { served in
      for (width, dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        let page = served.page
        try await page.setSize(width: width, height: width > 700 ? 900 : 844)
        try await page.setMedia(dark: dark, reducedMotion: dark)
        try await served.open()
        for section in Self.sections { try await served.show(section) }
        let place = "at \(width) pixels, \(dark ? "dark" : "light")"
        #expect(served.complaints == [], "\(place)")
        #expect(
          try await page.evaluate(
            "[...document.querySelectorAll('#panels .panel')].map(p => p.dataset.key)", as: [String].self)
            == Self.panels)
        #expect(try await page.count(of: "#panels svg.chart") == Self.panels.count)
        #expect(try await page.count(of: "#samples tr[data-key]") == 25)
        #expect(try await page.count(of: "#tree .story-tree svg") > 0)
        #expect(try await page.text(of: "#terms").count > 200)
        try await page.click("#samples button.story")
        try await page.wait(until: "document.querySelector('#samples .heat-map .hm-token')")
        let misfits = try await page.evaluate(Self.misfits, as: [String].self)
        #expect(misfits == [], "\(place)")
        #expect(try await page.evaluate(Self.faint, as: [String].self) == [], "\(place)")
        #expect(
          try await page.evaluate("parseInt(getComputedStyle(document.body).backgroundColor.slice(4)) < 128") == dark)
        page.clearRecord()
      }
      // The two measures can fail.
      try await served.page.run(
        "document.querySelector('.tile dd').style.cssText = 'width: 9px; overflow: hidden; white-space: nowrap; color: var(--rule)'"
      )
      #expect(try await served.page.evaluate(Self.misfits, as: [String].self).count == 1)
      #expect(try await served.page.evaluate(Self.faint, as: [String].self).count > 0)
    }
  }

  @Test func `a page over no run says how to start one, and shows it as soon as it is there`() async throws {
    try await withServedPage { _ in
    } _: { served in
      let page = served.page
      try await page.go(to: served.address)
      try await page.wait(until: "!document.getElementById('empty').hidden")
      #expect(try await page.text(of: "#empty").contains("tinyalign align"))
      #expect(try await page.evaluate("document.getElementById('stories').hidden", as: Bool.self))
      _ = try WrittenRun(served.runs.appending(path: "first"), steps: 2)
      try await page.wait(
        until: "document.querySelector('#panels svg.chart') && document.getElementById('empty').hidden")
      #expect(try await page.text(of: "#overview-title") == "first")
      #expect(served.complaints == [])
    }
  }

  @Test func `what a story, a prompt or a run is called is shown as text`() async throws {
    let hostile = "<img src=x onerror=\"window.hacked=1\"><script>window.hacked=2</script>&amp;'\""
    try await withServedPage { runs in
      var setup = WrittenRun.Setup()
      setup.prompts = ["Say \(hostile)"]
      setup.toward = hostile
      setup.story = { _, index in index == 0 ? " \(hostile)\u{202e}end" : nil }
      _ = try WrittenRun(runs.appending(path: "<b>run&"), steps: 3, setup: setup)
      _ = try WrittenRun(runs.appending(path: "other"), steps: 3)
    } _: { served in
      let page = served.page
      try await served.open()
      let ids = [try await served.id(of: "<b>run&"), try await served.id(of: "other")]
      try await served.open("runs=\(ids[0]),\(ids[1])")
      for section in Self.sections { try await served.show(section) }
      #expect(try await page.text(of: "#samples .said-text").contains(hostile))
      #expect(try await page.text(of: "#stories-prompt").contains("Say \(hostile)"))
      try await page.click("#samples button.story")
      try await page.wait(until: "document.querySelector('#samples .heat-map')")
      #expect(try await page.text(of: "#samples .heat-map").contains("onerror=\"window.hacked=1\""))
      try await page.click("#tellings button")
      try await page.wait(until: "document.querySelector('#tellings .heat-map')")
      #expect(try await page.text(of: "#run-list").contains("<b>run&"))
      #expect(try await page.text(of: "#differences").contains("<script>"))
      #expect(
        try await page.evaluate("window.hacked === undefined && !document.querySelector('main img')", as: Bool.self))
      #expect(served.complaints == [])
    }
  }
}
