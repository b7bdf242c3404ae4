public import Foundation

/// A page of a ``Browser``: a test goes somewhere with it, acts, and asks what is to be seen.
public final class BrowserPage: Sendable {
  private struct Nothing: Decodable {}

  private struct Evaluation<Value: Decodable>: Decodable {
    struct Outcome: Decodable { var value: Value? }
    struct Details: Decodable {
      struct Exception: Decodable { var description: String? }
      var text: String
      var exception: Exception?
    }
    var result: Outcome
    var exceptionDetails: Details?
  }

  private let connection: BrowserConnection
  private let session: String
  private let target: String
  private let recorder = BrowserRecorder()

  init(connection: BrowserConnection, session: String, target: String) {
    self.connection = connection
    self.session = session
    self.target = target
  }

  func prepare() async throws {
    connection.listen(to: session) { [recorder] in recorder.note($0) }
    for domain in ["Page", "Runtime", "Network", "Log"] { try await send("\(domain).enable") }
  }

  /// Console errors, exceptions and requests since the page was opened or ``clearRecord()`` was called.
  public var record: BrowserRecord { recorder.record }

  /// Forgets the record.
  public func clearRecord() { recorder.clear() }

  /// Sends a command of the DevTools protocol; the answer is the JSON of its result.
  ///
  /// - Throws: ``BrowserFailure`` where the browser refuses or does not answer.
  @discardableResult
  public func send(_ method: String, _ parameters: [String: any Sendable] = [:]) async throws -> Data {
    try await connection.send(method, parameters, session: session)
  }

  /// Goes to `url` and waits until its document, scripts included, has been read.
  ///
  /// - Throws: ``BrowserFailure`` where the page cannot be reached.
  public func go(to url: URL) async throws {
    struct Navigation: Decodable { var errorText: String? }
    // Where only the part after # differs, the document stays and nothing is read.
    try await send("Page.navigate", ["url": "about:blank"])
    let answer = try await send("Page.navigate", ["url": url.absoluteString])
    if let error = try JSONDecoder().decode(Navigation.self, from: answer).errorText {
      throw BrowserFailure(description: "cannot open \(url): \(error)")
    }
    try await wait(until: "document.readyState === 'complete' && location.href !== 'about:blank'")
  }

  /// The value of a JavaScript expression; a promise is awaited.
  ///
  /// - Throws: ``BrowserFailure`` where the script throws, or its value is not of the type.
  public func evaluate<Value: Decodable>(_ script: String, as type: Value.Type = Value.self) async throws -> Value {
    let answer = try await send(
      "Runtime.evaluate",
      ["expression": script, "awaitPromise": true, "returnByValue": true, "userGesture": true])
    let evaluation: Evaluation<Value>
    do {
      evaluation = try JSONDecoder().decode(Evaluation<Value>.self, from: answer)
    } catch {
      if let failed = try? JSONDecoder().decode(Evaluation<JSONText>.self, from: answer).exceptionDetails {
        throw BrowserFailure(description: "\(script): \(failed.exception?.description ?? failed.text)")
      }
      throw BrowserFailure(description: "\(script): no \(type): \(String(decoding: answer.prefix(400), as: UTF8.self))")
    }
    if let details = evaluation.exceptionDetails {
      throw BrowserFailure(description: "\(script): \(details.exception?.description ?? details.text)")
    }
    guard let value = evaluation.result.value else { throw BrowserFailure(description: "\(script): no \(type)") }
    return value
  }

  /// Runs a script whose value does not matter; a promise is awaited.
  ///
  /// - Throws: ``BrowserFailure`` where the script throws.
  public func run(_ script: String) async throws { _ = try await evaluate("\(script); true", as: Bool.self) }

  /// Waits until a JavaScript expression is true, and returns how many seconds that took.
  ///
  /// - Throws: ``BrowserFailure`` where it is not within `timeout` seconds.
  @discardableResult
  public func wait(until condition: String, timeout: Double = 30) async throws -> Double {
    let begin = ContinuousClock.now
    var problem = ""
    repeat {
      do {
        // While the page changes, there may be no document to ask; the next attempt finds one.
        if try await evaluate("Boolean(\(condition))", as: Bool.self) {
          return (ContinuousClock.now - begin) / .seconds(1)
        }
        problem = ""
      } catch let failure as BrowserFailure {
        problem = " (\(failure.description))"
      }
      try await Task.sleep(for: .milliseconds(15))
    } while ContinuousClock.now - begin < .seconds(timeout)
    throw BrowserFailure(description: "not within \(timeout) seconds: \(condition)\(problem)")
  }

  /// Waits until the record is as `condition` wants it: the browser reports events a moment after they happen.
  ///
  /// - Throws: ``BrowserFailure`` where it is not within `timeout` seconds.
  public func wait(forRecord condition: (BrowserRecord) -> Bool, timeout: Double = 30) async throws {
    let begin = ContinuousClock.now
    while !condition(record) {
      guard ContinuousClock.now - begin < .seconds(timeout) else {
        throw BrowserFailure(description: "not within \(timeout) seconds; the record is \(record)")
      }
      try await Task.sleep(for: .milliseconds(15))
    }
  }

  /// The text that an element shows.
  ///
  /// - Throws: ``BrowserFailure`` where nothing matches the selector.
  public func text(of selector: String) async throws -> String {
    try await evaluate("document.querySelector(\(quoted(selector))).innerText", as: String.self)
  }

  /// How many elements match a selector.
  ///
  /// - Throws: ``BrowserFailure`` where the selector is none.
  public func count(of selector: String) async throws -> Int {
    try await evaluate("document.querySelectorAll(\(quoted(selector))).length", as: Int.self)
  }

  /// Makes the page `width` by `height` CSS pixels; below 700 it is a phone with touch.
  ///
  /// - Throws: ``BrowserFailure`` where the browser does not answer.
  public func setSize(width: Int, height: Int = 900) async throws {
    try await send(
      "Emulation.setDeviceMetricsOverride",
      ["width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700])
  }

  /// What the reader's system asks pages for: dark colours, little motion.
  ///
  /// - Throws: ``BrowserFailure`` where the browser does not answer.
  public func setMedia(dark: Bool = false, reducedMotion: Bool = false) async throws {
    let features: [[String: String]] = [
      ["name": "prefers-color-scheme", "value": dark ? "dark" : "light"],
      ["name": "prefers-reduced-motion", "value": reducedMotion ? "reduce" : "no-preference"],
    ]
    try await send("Emulation.setEmulatedMedia", ["features": features])
  }

  /// A picture of what is visible, or of the whole page, as PNG.
  ///
  /// - Throws: ``BrowserFailure`` where the browser makes none.
  public func screenshot(wholePage: Bool = false) async throws -> Data {
    struct Picture: Decodable { var data: Data }
    let answer = try await send("Page.captureScreenshot", ["format": "png", "captureBeyondViewport": wholePage])
    return try JSONDecoder().decode(Picture.self, from: answer).data
  }

  /// Closes the page.
  ///
  /// - Throws: ``BrowserFailure`` where the browser does not answer.
  public func close() async throws { _ = try await connection.send("Target.closeTarget", ["targetId": target]) }

  /// A text as a JavaScript string.
  func quoted(_ text: String) -> String {
    // An array, since a string alone is no JSON text to older Foundations.
    let json = (try? JSONSerialization.data(withJSONObject: [text])).map { String(decoding: $0, as: UTF8.self) }
    return "(\(json ?? "[\"\"]"))[0]"
  }
}
