import Foundation

extension BrowserPage {
  private struct Place: Decodable {
    var x: Double
    var y: Double
    var hit: Bool
  }

  /// Clicks in the middle of the first element that matches, scrolling there first.
  ///
  /// - Throws: ``BrowserFailure`` where there is none within `timeout` seconds, or something else covers it.
  public func click(_ selector: String, timeout: Double = 30) async throws {
    let place = try await place(of: selector, timeout: timeout)
    guard place.hit else { throw BrowserFailure(description: "\(selector) is covered by something else") }
    for type in ["mouseMoved", "mousePressed", "mouseReleased"] {
      let button = type == "mouseMoved" ? "none" : "left"
      try await send(
        "Input.dispatchMouseEvent",
        ["type": type, "x": place.x, "y": place.y, "button": button, "clickCount": 1])
    }
  }

  /// Moves the mouse to the middle of the first element that matches, scrolling there first.
  ///
  /// - Throws: ``BrowserFailure`` where there is none within `timeout` seconds.
  public func point(at selector: String, timeout: Double = 30) async throws {
    let place = try await place(of: selector, timeout: timeout)
    try await send("Input.dispatchMouseEvent", ["type": "mouseMoved", "x": place.x, "y": place.y])
  }

  /// Types a text into whatever has the focus.
  ///
  /// - Throws: ``BrowserFailure`` where the browser does not answer.
  public func type(_ text: String) async throws { try await send("Input.insertText", ["text": text]) }

  /// Presses and releases a key, such as `Enter`, `ArrowRight`, `Tab` or `a`.
  ///
  /// - Throws: ``BrowserFailure`` where the browser does not answer.
  public func press(_ key: String, shift: Bool = false) async throws {
    let codes = [
      "Enter": 13, "Escape": 27, "Tab": 9, "Backspace": 8, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
      "ArrowDown": 40, "Home": 36, "End": 35, "PageUp": 33, "PageDown": 34, " ": 32,
    ]
    var event: [String: any Sendable] = ["key": key, "code": key == " " ? "Space" : key, "modifiers": shift ? 8 : 0]
    event["windowsVirtualKeyCode"] = codes[key] ?? Int(key.uppercased().unicodeScalars.first?.value ?? 0)
    var down = event
    // A key that writes something says what; without it Enter presses no button.
    if key == "Enter" { down["text"] = "\r" } else if key.count == 1 { down["text"] = key }
    down["type"] = "keyDown"
    try await send("Input.dispatchKeyEvent", down)
    event["type"] = "keyUp"
    try await send("Input.dispatchKeyEvent", event)
  }

  /// Puts the focus on the first element that matches.
  ///
  /// - Throws: ``BrowserFailure`` where there is none.
  public func focus(_ selector: String) async throws {
    try await run("document.querySelector(\(quoted(selector))).focus()")
  }

  private func place(of selector: String, timeout: Double) async throws -> Place {
    let found = "document.querySelector(\(quoted(selector)))"
    try await wait(until: "\(found) && \(found).getClientRects().length > 0", timeout: timeout)
    return try await evaluate(
      """
      (async () => {
        const element = \(found);
        element.scrollIntoView({block: "nearest", inline: "nearest", behavior: "instant"});
        const frame = () => new Promise(done => requestAnimationFrame(done));
        let box = element.getBoundingClientRect(), before;
        // What still moves would be missed.
        for (let frames = 0; frames < 120; frames += 1) {
          before = box;
          await frame();
          await frame();
          box = element.getBoundingClientRect();
          if (box.left === before.left && box.top === before.top && box.width > 0) break;
        }
        const x = box.left + box.width / 2, y = box.top + box.height / 2;
        const top = document.elementFromPoint(x, y);
        return {x, y, hit: top !== null && (element.contains(top) || top.contains(element))};
      })()
      """)
  }
}
