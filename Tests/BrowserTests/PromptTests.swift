import Foundation
import TestSupport
import Testing

extension BrowserTests {
  private static let chat =
    "<|im_start|>system\nYou are a helpful AI assistant<|im_end|>\n<|im_start|>user\nWhat do cats eat?<|im_end|>\n"
    + "<|im_start|>assistant\n"

  /// Whether words are on the page without a click.
  private func isSeen(_ text: String, in section: String, of page: BrowserPage) async throws -> Bool {
    try await page.evaluate("document.getElementById('\(section)').innerText.includes('\(text)')")
  }

  @Test(arguments: [1280, 390])
  func `answers are what one sees: first and whole, the prompt once`(width: Int) async throws {
    let answer = " " + String(repeating: "Cats eat mice, and now and then a bird. ", count: 12) + "The end"
    try await withServedPage(width: width) { runs in
      var setup = WrittenRun.Setup()
      setup.prompts = [Self.chat]
      setup.story = { _, _ in answer }
      let run = try WrittenRun(runs.appending(path: "chat"), steps: 4, setup: setup)
      let line = try JSONSerialization.data(withJSONObject: ["prompt": Self.chat, "words": "What do cats eat?"])
      try (line + Data("\n".utf8)).write(to: run.folder.appending(path: "prompts.jsonl"))
    } _: { served in
      let page = served.page
      try await served.open()
      try await served.show("stories")
      try await page.wait(until: "document.querySelectorAll('#samples tr[data-key]').length === 25")
      #expect(try await page.text(of: "#stories-prompt summary") == "Prompt: What do cats eat?")
      #expect(try await page.text(of: "#samples .said-text").hasPrefix("Cats eat mice, and"))
      #expect(
        try await page.evaluate(
          "[...document.querySelectorAll('#samples .said-text')].every(e => e.scrollHeight <= e.clientHeight + 1)"))
      for section in ["stories", "told-again", "tree"] {
        try await served.show(section)
        #expect(try await !isSeen("im_start", in: section, of: page), "\(section)")
        #expect(try await isSeen("What do cats eat?", in: section, of: page), "\(section)")
      }
      // All of the prompt is a click away.
      try await page.click("#stories-prompt summary")
      #expect(try await isSeen("<|im_start|>system", in: "stories", of: page))
      let misfits = try await page.evaluate(Self.misfits, as: [String].self)
      #expect(misfits == [])
      #expect(served.complaints == [])
    }
  }

  @Test func `several prompts: each row has its answer first, and says what it follows`() async throws {
    try await withServedPage { runs in
      var setup = WrittenRun.Setup()
      setup.prompts = [String(repeating: "A long instruction. ", count: 30) + "It ends here", "Once upon a time"]
      _ = try WrittenRun(runs.appending(path: "two"), steps: 2, setup: setup)
    } _: { served in
      let page = served.page
      try await served.open()
      try await served.show("stories")
      try await page.wait(until: "document.querySelectorAll('#samples .after').length === 25")
      #expect(try await page.text(of: "#samples .after").hasSuffix("It ends here"))
      #expect(try await page.text(of: "#samples .after").count < 110)
      #expect(try await page.count(of: "#stories-prompt > *") == 0)
    }
  }

  @Test func `texts of any direction leave the figures beside them where they are`() async throws {
    try await withServedPage { runs in
      var setup = WrittenRun.Setup()
      setup.toward = "قطة"
      setup.prompts = ["مرحبا بالعالم", "\u{202E}evil"]
      setup.story = { _, index in index == 1 ? "\u{202E}desrever \u{2066}open" : " قطة صغيرة" }
      _ = try WrittenRun(runs.appending(path: "قطة 12"), steps: 2, setup: setup)
    } _: { served in
      let page = served.page
      try await served.open()
      try await served.show("stories")
      try await page.wait(until: "document.querySelectorAll('#samples tr[data-key]').length === 25")
      // Where words stand, by the text nodes that hold them.
      try await page.run(
        """
        window.placeOf = (root, words) => {
          const walker = document.createTreeWalker(document.querySelector(root), NodeFilter.SHOW_TEXT);
          while (walker.nextNode()) {
            const start = walker.currentNode.data.indexOf(words);
            if (start < 0) continue;
            const range = document.createRange();
            range.setStart(walker.currentNode, start);
            range.setEnd(walker.currentNode, start + words.length);
            return range.getBoundingClientRect();
          }
        }
        """)
      for root in ["#overview-over"] {
        let inOrder: Bool = try await page.evaluate(
          "placeOf('\(root)', 'قطة').right <= placeOf('\(root)', '30 stories').left + 1")
        #expect(inOrder, "\(root)")
      }
      #expect(
        try await page.evaluate("!document.body.textContent.match(/[\\u202a-\\u202e\\u2066\\u2067]/)"),
        "nothing turns what follows it")
      #expect(try await page.evaluate("document.querySelectorAll('#samples .said-text bdi').length === 25"))
      #expect(served.complaints == [])
    }
  }
}
