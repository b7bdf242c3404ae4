/// Lets in what comes from this computer's own pages, and nothing else.
///
/// The page answers on 127.0.0.1 only, but any web page that the user opens can make the browser ask there: by a name that
/// its owner points to 127.0.0.1 (hence the look at Host), or straight (hence the look at Origin and Sec-Fetch-Site).
struct RequestGuard: Sendable {
  let port: UInt16

  /// Whether the request may be answered.
  ///
  /// - Throws: ``HTTPProblem`` where it may not.
  func check(_ request: HTTPRequest) throws {
    let hosts = ["127.0.0.1", "localhost", "[::1]"].map { "\($0):\(port)" }
    guard let host = try request.header("host"), hosts.contains(host.lowercased()) else {
      throw HTTPProblem(403, "this page is served to http://127.0.0.1:\(port) only")
    }
    if let origin = try request.header("origin"), !hosts.contains(where: { "http://\($0)" == origin.lowercased() }) {
      throw HTTPProblem(403, "requests from other pages are refused")
    }
    if let site = try request.header("sec-fetch-site"), site != "same-origin", site != "none" {
      // A link from elsewhere may open the page: its owner does not see what is shown.
      let isNavigation =
        try request.header("sec-fetch-mode") == "navigate" && request.header("sec-fetch-dest") == "document"
      guard isNavigation else { throw HTTPProblem(403, "requests from other pages are refused") }
    }
    guard request.method == "GET" || request.method == "HEAD" else {
      throw HTTPProblem(405, "only GET and HEAD are answered")
    }
  }
}
