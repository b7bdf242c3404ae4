import Reports

extension HTTPAnswer {
  /// An error, as a page for people where the client is a browser that opens one, and as JSON otherwise.
  init(_ problem: HTTPProblem, to request: HTTPRequest?) {
    let accepts = (request?.headers["accept"] ?? []).joined(separator: ",").lowercased()
    if accepts.contains("text/html") {
      self.init(
        status: problem.status, contentType: "text/html; charset=utf-8",
        body: .bytes(Array(Self.page(problem).utf8)))
    } else {
      self.init(
        status: problem.status, body: .bytes(jsonObject { $0.member("error", problem.message, first: true) }))
    }
    if problem.status == 405 { headers.append(("Allow", "GET, HEAD")) }
  }

  /// A page that needs nothing but itself.
  private static func page(_ problem: HTTPProblem) -> String {
    let title = problem.status == 403 ? "Not shown here" : problem.status == 404 ? "Nothing here" : "That did not work"
    let message = problem.message.prefix(1).uppercased() + problem.message.dropFirst()
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <title>\(title) – TinyAlign</title>
      <style>
      body{font:16px/1.6 system-ui,sans-serif;max-width:38em;margin:14vh auto;padding:0 20px;overflow-wrap:anywhere}
      h1{font:600 1.6rem/1.3 Georgia,serif;margin:0 0 .5em}
      p{margin:0 0 1em}
      small{opacity:.7}
      </style>
      </head>
      <body>
      <h1>\(title)</h1>
      <p>\(escaped(String(message))).</p>
      <p><small>TinyAlign · \(problem.status)</small></p>
      </body>
      </html>

      """
  }
}
