public import Foundation

/// Where the Hub and its cache are, from the environment variables that huggingface_hub knows.
public struct HubSettings: Sendable {
  /// The server, without a slash at its end: `HF_ENDPOINT`.
  public var endpoint: URL
  /// The access token: `HF_TOKEN`, else the one that `hf auth login` left in a file.
  public var token: String?
  /// The folder of the cache: `HF_HUB_CACHE`, else `hub` in `HF_HOME`, else `huggingface/hub` in `XDG_CACHE_HOME` or
  /// `~/.cache`.
  public var cache: URL
  /// Whether the network is not to be touched: `HF_HUB_OFFLINE`.
  public var isOffline: Bool
  /// Whether files may be symbolic links to their blobs: not where `HF_HUB_DISABLE_SYMLINKS` is set.
  public var usesLinks: Bool

  /// Reads the settings.
  ///
  /// - Throws: ``HubError/badAnswer(server:reason:)`` for an `HF_ENDPOINT` that is no address.
  public init(environment: [String: String] = ProcessInfo.processInfo.environment) throws {
    let text = setting("HF_ENDPOINT", environment) ?? "https://huggingface.co"
    guard let endpoint = URL(string: text.hasSuffix("/") ? String(text.dropLast()) : text),
      let scheme = endpoint.scheme?.lowercased(), scheme == "https" || scheme == "http",
      endpoint.host?.isEmpty == false
    else {
      throw HubError.badAnswer(server: text, reason: "HF_ENDPOINT is to be an address like https://huggingface.co")
    }
    self.endpoint = endpoint
    cache = Self.cacheFolder(environment: environment)
    token = Self.token(environment: environment)
    isOffline = isTrue("HF_HUB_OFFLINE", environment) || isTrue("TRANSFORMERS_OFFLINE", environment)
    usesLinks = !isTrue("HF_HUB_DISABLE_SYMLINKS", environment)
  }

  /// The folder of the cache alone.
  static func cacheFolder(environment: [String: String]) -> URL {
    for name in ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"] {
      if let path = setting(name, environment) { return folder(path, environment) }
    }
    return home(environment).appending(path: "hub", directoryHint: .isDirectory)
  }

  private static func home(_ environment: [String: String]) -> URL {
    if let path = setting("HF_HOME", environment) { return folder(path, environment) }
    let caches = setting("XDG_CACHE_HOME", environment) ?? "~/.cache"
    return folder(caches, environment).appending(path: "huggingface", directoryHint: .isDirectory)
  }

  private static func token(environment: [String: String]) -> String? {
    var candidates = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"].compactMap { setting($0, environment) }
    if candidates.isEmpty, !isTrue("HF_HUB_DISABLE_IMPLICIT_TOKEN", environment) {
      let file =
        setting("HF_TOKEN_PATH", environment).map { folder($0, environment) }
        ?? home(environment).appending(path: "token", directoryHint: .notDirectory)
      if let text = try? String(contentsOfFile: file.path, encoding: .utf8) { candidates.append(text) }
    }
    // A line break in it would end the header that it is sent in.
    let token = candidates.first?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
    return token.isEmpty || !token.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } ? nil : token
  }

  private static func folder(_ path: String, _ environment: [String: String]) -> URL {
    expandedFolder(path, environment: environment)
  }
}

/// An environment variable; one that is empty counts as not set.
func setting(_ name: String, _ environment: [String: String]) -> String? {
  environment[name].flatMap { $0.isEmpty ? nil : $0 }
}

private func isTrue(_ name: String, _ environment: [String: String]) -> Bool {
  ["1", "ON", "YES", "TRUE"].contains(environment[name]?.uppercased() ?? "")
}
