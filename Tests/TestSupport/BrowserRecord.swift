import Foundation
import Synchronization

/// What a page did while a test drove it.
public struct BrowserRecord: Sendable {
  /// Errors and warnings of the console, by scripts or by the browser itself.
  public var consoleErrors: [String] = []
  /// Errors that no script caught.
  public var exceptions: [String] = []
  /// The addresses of all requests, in order.
  public var requests: [String] = []
  /// The addresses of requests that got no answer, or one with a status of 400 or more; not those a page gave up itself.
  public var failedRequests: [String] = []

  /// The requests to another host than `host` (with its port), such as `127.0.0.1:8080`.
  public func requests(notTo host: String) -> [String] {
    requests.filter { address in
      guard let url = URL(string: address), url.scheme != "data", url.scheme != "about" else { return false }
      return "\(url.host() ?? "")\(url.port.map { ":\($0)" } ?? "")" != host
    }
  }
}

/// Keeps the record of one page, from the browser's events.
final class BrowserRecorder: Sendable {
  private struct Message: Decodable {
    struct Argument: Decodable {
      var value: JSONText?
      var description: String?
    }
    struct Entry: Decodable {
      var level: String
      var text: String
      var url: String?
    }
    struct Details: Decodable {
      var text: String
      var exception: Argument?
    }
    struct Request: Decodable { var url: String }
    struct Response: Decodable {
      var url: String
      var status: Double
    }
    var type: String?
    var args: [Argument]?
    var entry: Entry?
    var exceptionDetails: Details?
    var request: Request?
    var response: Response?
    var requestId: String?
    var canceled: Bool?
  }

  private struct State {
    var record = BrowserRecord()
    var addresses: [String: String] = [:]
  }

  private let state = Mutex(State())

  /// What was recorded so far.
  var record: BrowserRecord { state.withLock { $0.record } }

  /// Forgets what was recorded.
  func clear() { state.withLock { $0.record = BrowserRecord() } }

  /// Takes an event into the record.
  func note(_ event: BrowserConnection.Event) {
    guard let message = try? JSONDecoder().decode(Message.self, from: event.parameters) else { return }
    state.withLock { state in
      switch event.method {
      case "Runtime.consoleAPICalled" where ["error", "warning", "assert"].contains(message.type ?? ""):
        let words = (message.args ?? []).map { $0.value?.text ?? $0.description ?? "" }
        state.record.consoleErrors.append(words.joined(separator: " "))
      case "Log.entryAdded":
        guard let entry = message.entry, ["error", "warning"].contains(entry.level) else { return }
        state.record.consoleErrors.append([entry.text, entry.url ?? ""].joined(separator: " "))
      case "Runtime.exceptionThrown":
        guard let details = message.exceptionDetails else { return }
        state.record.exceptions.append(details.exception?.description ?? details.text)
      case "Network.requestWillBeSent":
        guard let url = message.request?.url else { return }
        state.record.requests.append(url)
        if let id = message.requestId { state.addresses[id] = url }
      case "Network.responseReceived":
        guard let response = message.response, response.status >= 400 else { return }
        state.record.failedRequests.append(response.url)
      case "Network.loadingFailed" where message.canceled != true:
        state.record.failedRequests.append(message.requestId.flatMap { state.addresses[$0] } ?? "unknown")
      default: break
      }
    }
  }
}

/// Any JSON value as the text that a console would show.
struct JSONText: Decodable, Sendable {
  let text: String

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let value = try? container.decode(String.self) {
      text = value
    } else if let value = try? container.decode(Double.self) {
      text = String(value)
    } else if let value = try? container.decode(Bool.self) {
      text = String(value)
    } else {
      text = "(value)"
    }
  }
}
