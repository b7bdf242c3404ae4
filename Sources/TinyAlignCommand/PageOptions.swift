import ArgumentParser
import Foundation
import LivePage

/// The address of the live page, and who may see it.
struct PageOptions: ParsableArguments {
  /// The port that is taken where it is free: the page then has the same address every time.
  static let usualPort: UInt16 = 8_421
  /// The environment variable that holds a token: other users of the computer can read command lines.
  static let tokenVariable = "TINYALIGN_TOKEN"

  @Option(help: .init("Port to serve at. (default: \(usualPort), or a free one)", valueName: "n"))
  var port: Int?
  @Option(
    help: .init(
      "IP address to listen on; 0.0.0.0 lets other computers in, who must know the token. (default: 127.0.0.1)",
      valueName: "address"))
  var host: String?
  @Option(
    help: .init(
      "Host name that the page is asked for under, beside its own, as of a tunnel or a reverse proxy; may be given several "
        + "times. (default: none)", valueName: "name"))
  var allowHost: [String] = []
  @Option(
    help: .init("Path under which a reverse proxy shows the page, such as /tinyalign. (default: /)", valueName: "path"))
  var basePath: String?
  @Option(
    help: .init(
      "Secret in the page's address. Other users of this computer can read command lines: better put it into the "
        + "environment as \(tokenVariable). (default: a new one)", valueName: "text"))
  var token: String?
  @Flag(help: "Serve without a secret: every user of this computer can then read the runs.")
  var noToken = false
  @Flag(help: "Do not open the browser.")
  var noOpen = false

  func validate() throws {
    if let port, !(1...65_535).contains(port) {
      throw ValidationError("--port is \(port); it must lie between 1 and 65535")
    }
    guard !noToken || token == nil else { throw ValidationError("give --token or --no-token, not both") }
    do {
      _ = try settings(port: nil).checked()
    } catch LivePageError.invalid(let option, let reason) where option == "token" && token == nil {
      throw ValidationError("\(Self.tokenVariable) \(reason)")
    } catch LivePageError.invalid(let option, let reason) {
      throw ValidationError("--\(option) \(reason)" + (noToken && option == "host" ? "; leave out --no-token" : ""))
    }
  }

  /// Whether anything but ``noOpen`` was asked for.
  var isChanged: Bool {
    port != nil || host != nil || !allowHost.isEmpty || basePath != nil || token != nil || noToken
  }

  /// Starts to serve runs at the port that was given, or at the usual one, or at a free one.
  ///
  /// - Throws: `LivePageError` where the port is taken.
  func serve(_ runs: [URL]) throws -> LivePageTask {
    if let port { return try LivePageTask(runs: runs, options: settings(port: UInt16(port))) }
    do {
      return try LivePageTask(runs: runs, options: settings(port: Self.usualPort))
    } catch LivePageError.portTaken {
      return try LivePageTask(runs: runs, options: settings(port: nil))
    }
  }

  private func settings(port: UInt16?) -> LivePageOptions {
    let variable = ProcessInfo.processInfo.environment[Self.tokenVariable] ?? ""
    let token = noToken ? nil : token ?? (variable.isEmpty ? LivePageOptions.randomToken() : variable)
    return LivePageOptions(
      port: port, host: host ?? "127.0.0.1", allowedHosts: allowHost, basePath: basePath ?? "", token: token)
  }
}
