import Foundation

/// A headless Chromium that tests drive over the DevTools protocol; it ends with the object at the latest.
public final class Browser: Sendable {
  private let connection: BrowserConnection

  /// Starts a browser with a profile of its own.
  ///
  /// - Throws: ``BrowserFailure`` where there is no Chromium or it does not start.
  public init() throws { connection = try BrowserConnection.start() }

  deinit { connection.end() }

  /// Ends the browser.
  public func close() { connection.end() }

  /// Opens an empty page, `width` by `height` CSS pixels, dark or light.
  ///
  /// - Throws: ``BrowserFailure`` where the browser does not answer.
  public func page(width: Int = 1280, height: Int = 900, dark: Bool = false) async throws -> BrowserPage {
    struct Target: Decodable { var targetId: String }
    struct Session: Decodable { var sessionId: String }
    let target = try JSONDecoder().decode(
      Target.self, from: try await connection.send("Target.createTarget", ["url": "about:blank"]))
    let session = try JSONDecoder().decode(
      Session.self,
      from: try await connection.send("Target.attachToTarget", ["targetId": target.targetId, "flatten": true]))
    let page = BrowserPage(connection: connection, session: session.sessionId, target: target.targetId)
    try await page.prepare()
    try await page.setSize(width: width, height: height)
    try await page.setMedia(dark: dark)
    return page
  }
}

/// Runs `body` with a browser of its own, which is ended afterwards whatever happens.
public func withBrowser<Result>(_ body: (Browser) async throws -> Result) async throws -> Result {
  let browser = try Browser()
  defer { browser.close() }
  return try await body(browser)
}
